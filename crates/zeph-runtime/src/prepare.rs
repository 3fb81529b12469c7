//! Preparations: an executor says whether a task runs, before the task takes a slot.

use std::sync::Arc;

use tokio::task::{Id, JoinError};
use zeph_executor::{ErrorClass, Stop, TaskContext};
use zeph_graph::{Attempt, TaskId};

use crate::attempt::{AttemptJob, AttemptWork, JobError, PreparedJob};
use crate::content::ContentParts;
use crate::core::Core;
use crate::driver::{self, Failure, PrepareReport};
use crate::in_flight::executor_grace;
use crate::message::Key;

/// The outcome of a preparation.
pub(crate) type PrepareResult = Result<PreparedJob, JobError>;

impl Core {
    pub(crate) fn prepare(&mut self, key: Key, task: TaskId) {
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        let definition = active.scheduler.graph().task(task);
        let name = definition.shared_name();
        let (_, params) = driver::action_of(definition);
        let action = driver::needed_action(definition);
        let Some(executor) = self.config.registry.find(&name, action.as_deref()) else {
            // Checked when the run was opened, and a registry does not shrink.
            return;
        };
        let attempt = active.scheduler.task(task).last_attempt();
        let attempt = attempt.map_or(Attempt::FIRST, Attempt::next);
        let is_finalizer = definition.rules().finally;
        let context = TaskContext::builder(active.chain.run().clone(), task, &*name, attempt)
            .stop(&Stop::new())
            .grace(executor_grace(active.scheduler.policy().cancel_grace))
            .outcome(is_finalizer.then(|| active.scheduler.end_so_far()))
            .build();
        let job = AttemptJob {
            store: Arc::clone(&self.config.store),
            run: active.chain.run().clone(),
            executor: Arc::clone(executor),
            context,
            params,
            preparation: definition.rules().prepare.clone(),
            parents: active.parents(task),
            work: AttemptWork::Whole,
            max_output_bytes: self.config.limits.max_output_bytes,
            redact: self.config.redact.clone(),
        };
        let abort = (self.preparations).spawn_on(job.prepare(), &self.config.bodies);
        self.preparing.insert(abort.id(), (key, task));
        if let Some(before) = active.preparations.insert(task, abort) {
            before.abort();
        }
    }

    /// The tokio task of a preparation has ended: with a result, by a panic, or because it was aborted.
    pub(crate) fn preparation_joined(&mut self, joined: Result<(Id, PrepareResult), JoinError>) {
        let (id, result) = match joined {
            Ok((id, result)) => (id, Some(result)),
            Err(error) => {
                let id = error.id();
                let panic = error.try_into_panic().ok();
                (
                    id,
                    panic.map(|payload| Err(Failure::panicked(payload).into())),
                )
            }
        };
        let Some((key, task)) = self.preparing.remove(&id) else {
            return;
        };
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        let is_latest = active
            .preparations
            .get(&task)
            .is_some_and(|one| one.id() == id);
        if is_latest {
            active.preparations.remove(&task);
        }
        let redact = self.config.redact.as_deref();
        let (report, output) = match result {
            Some(Ok(PreparedJob::Run)) => (PrepareReport::Run, None),
            Some(Ok(PreparedJob::Supply(output, parts))) => {
                let bytes = parts.as_ref().map_or(0, ContentParts::len);
                (PrepareReport::Supply(parts), Some((output, bytes)))
            }
            Some(Err(JobError::Failed(failure))) => {
                let is_skip = failure.error.class() == ErrorClass::Skip;
                let error = ContentParts::of_error(&failure.error, redact);
                (PrepareReport::Failed { is_skip, error }, None)
            }
            // The task is prepared again when the run is resumed.
            Some(Err(JobError::Unreadable(error))) => {
                return self.suspend_unreadable(key, &error);
            }
            None => {
                self.is_orphaned |= is_latest;
                return;
            }
        };
        self.update(key, |active, now| {
            let (scheduler, contents) = (&mut active.scheduler, &mut active.contents);
            driver::deliver_prepared(scheduler, contents, now, task, report);
            let state = active.scheduler.task(task).state();
            if let (Some((output, bytes)), zeph_graph::TaskState::Completed { output: at }) =
                (output, state)
                && let Some(id) = at.content()
            {
                active.cache_output(task, id, output, bytes);
            }
        });
    }
}
