//! Preparations: an executor says whether a task runs, before the task takes a slot.

use std::sync::Arc;

use tokio::task::{Id, JoinError};
use zeph_executor::{ErrorClass, ParentState, Prepared, ResultKey, Stop, TaskContext, TaskOutput};
use zeph_graph::{Attempt, RunId, SuppliedWhy, TaskGraph, TaskId};
use zeph_memory::StoreError;

use crate::attempt::{AttemptJob, JobError, PreparedJob, SuppliedResult};
use crate::content::{ContentParts, read_output, redacted_output};
use crate::core::Core;
use crate::driver::{self, Failure, PrepareReport, Role};
use crate::in_flight::executor_grace;
use crate::message::Key;
use crate::retry::chosen;

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
        let role = Role::of(active.scheduler.graph(), task);
        let bound = match role {
            Role::Item { of, .. } => active.scheduler.graph().task(of).shared_name(),
            Role::Whole | Role::List | Role::Collect(_) => Arc::clone(&name),
        };
        let Some(executor) = self.config.registry.find(&bound, action.as_deref()) else {
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
            work: active.work(&role),
            previous_error: None,
            max_output_bytes: self.config.limits.max_output_bytes,
            redact: self.config.redact.clone(),
            comparison: active
                .comparison(definition)
                .filter(|_| role == Role::Whole || role == Role::List),
            finds_results: finds_results(active.scheduler.graph(), &name),
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
            Some(Ok(PreparedJob::Supply(SuppliedResult { output, why, from }))) => {
                let parts = ContentParts::of_output(&output);
                let bytes = parts.as_ref().map_or(0, ContentParts::len);
                let from = from.as_ref().map(ContentParts::of_run);
                let report = PrepareReport::Supply {
                    output: parts,
                    why,
                    from,
                };
                (report, Some((output, bytes)))
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

/// Whether a task of the run looks for a result in the cache.
fn finds_results(graph: &TaskGraph, task: &str) -> bool {
    !graph.metadata().contains_key(TaskGraph::NO_CACHE) && !chosen::is_chosen(graph, task)
}

impl AttemptJob {
    /// Asks the executor whether the task runs.
    pub(crate) async fn prepare(self) -> Result<PreparedJob, JobError> {
        let input = self.input().await?;
        let parents_completed =
            (input.parents.values()).all(|parent| parent.state == ParentState::Completed);
        let prepared = self.executor.prepare(&self.context, input).await?;
        // Also of a command with a cache: the condition holds, and the task would run.
        if matches!(prepared, Prepared::Run | Prepared::Find(_))
            && let Some(kept) = self.kept(parents_completed).await
        {
            return Ok(PreparedJob::Supply(kept));
        }
        let found = match prepared {
            Prepared::Run => None,
            Prepared::Supply(output) => {
                self.check(&output)?;
                Some(SuppliedResult {
                    output: Arc::new(redacted_output(self.redact.as_deref(), output)?),
                    why: SuppliedWhy::Kept,
                    from: None,
                })
            }
            Prepared::Find(_) if !self.finds_results => None,
            Prepared::Find(key) => self.find(key).await,
        };
        Ok(found.map_or(PreparedJob::Run, PreparedJob::Supply))
    }

    /// The result that was stored under a key. None that cannot be read, or has a secret of this run: the task
    /// runs.
    async fn find(&self, key: ResultKey) -> Option<SuppliedResult> {
        let (run, output) = match self.read_result(&key).await {
            Ok(found) => found?,
            Err(error) => {
                let task = self.context.name();
                tracing::warn!(run = %self.run, task, %error, "the cache cannot be read; the task runs");
                return None;
            }
        };
        self.check(&output).ok()?;
        let output = redacted_output(self.redact.as_deref(), output).ok()?;
        Some(SuppliedResult {
            output: Arc::new(output),
            why: SuppliedWhy::Cached,
            from: Some(run),
        })
    }

    async fn read_result(
        &self,
        key: &ResultKey,
    ) -> Result<Option<(RunId, TaskOutput)>, StoreError> {
        let Some(found) = self.store.result(key).await? else {
            return Ok(None);
        };
        let parts = match self.store.contents(&found.run, &[found.content]).await {
            // It was deleted since.
            Err(StoreError::NotFound { .. }) => return Ok(None),
            parts => parts?,
        };
        let is_output = parts.iter().any(|part| part.name.is_empty());
        let output = is_output.then(|| read_output(&parts).ok()).flatten();
        Ok(output.map(|output| (found.run, (*output).clone())))
    }
}
