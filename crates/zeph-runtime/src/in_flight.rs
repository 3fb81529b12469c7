//! Attempts in flight: their start, their cancellation, their reports; and unloading a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError};
use zeph_executor::{Dependant, Logs, Purpose, Redact, Stop, TaskContext};
use zeph_graph::{Attempt, RunState, TaskGraph, TaskId, Work};
use zeph_scheduler::{Input, InputOutcome, Scheduler};

use crate::active_run::AttemptHandle;
use crate::attempt::{AttemptJob, JobError, JobResult};
use crate::attempt_journal::AttemptJournal;
use crate::content::ContentParts;
use crate::core::Core;
use crate::driver::{self, Failure, Report, ReportResult, Role};
use crate::error::RuntimeError;
use crate::event::AttemptObserver;
use crate::growing_log::GrowingLog;
use crate::idle::IdleWatch;
use crate::interrupted::InterruptedNotes;
use crate::line_buffer::LineBuffer;
use crate::message::{AttemptRef, Key};
use crate::named_lock::LockGuard;
use crate::report::RunReport;

/// The attempt that a tokio task works on.
pub(crate) struct InFlight {
    pub(crate) key: Key,
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
    pub(crate) logs: Logs,
    pub(crate) observer: Arc<AttemptObserver>,
    _idle: Option<IdleWatch>,
    /// Its slots of shared lanes, if its run has left the engine.
    slots: Vec<LockGuard>,
}

impl Core {
    pub(crate) fn start(&mut self, key: Key, task: TaskId, attempt: Attempt) {
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        let slots = active.occupy_slots(task);
        let definition = active.scheduler.graph().task(task);
        let name = definition.shared_name();
        let (action, params) = driver::action_of(definition);
        let role = Role::of(active.scheduler.graph(), task);
        let bound = match role {
            Role::Item { of, .. } => active.scheduler.graph().task(of).shared_name(),
            Role::Whole | Role::List | Role::Collect(_) => Arc::clone(&name),
        };
        let Some(executor) = self.config.registry.find(&bound, Some(&action)) else {
            // Checked when the run was opened, and a registry does not shrink.
            self.deliver(key, task, attempt, ReportResult::Lost, None);
            return;
        };
        let (stop, logs) = (Stop::new(), Logs::new(self.config.limits.log_bytes));
        let from = AttemptRef { key, task, attempt };
        let idle = definition.rules().idle_timeout;
        let idle = idle.map(|limit| IdleWatch::start(limit, from, self.config.engine.clone()));
        let observer = Arc::new(AttemptObserver {
            events: active.events.downgrade(),
            watched: Arc::clone(&active.watched),
            task: Arc::clone(&name),
            attempt,
            lines: self.config.redact.clone().map(LineBuffer::new),
            log: GrowingLog::new(from, logs.clone(), self.grown.clone()),
            buffered: Arc::clone(&active.buffered),
            signs: idle.as_ref().map(|watch| Arc::clone(&watch.signs)),
        });
        let outcome = definition
            .rules()
            .finally
            .then(|| active.scheduler.end_so_far());
        let approved = approved_tools(active.scheduler.graph(), task);
        let (store, run) = (&self.config.store, active.chain.run());
        let interrupted = InterruptedNotes::take(&mut active.interrupted, task, store, run);
        let context = TaskContext::builder(run.clone(), task, &*name, attempt)
            .approved_tools(approved)
            .purpose(purpose(&active.scheduler, task))
            .stop(&stop)
            .grace(executor_grace(active.scheduler.policy().cancel_grace))
            .logs(&logs)
            .outcome(outcome)
            .inherited(slots)
            .progress(Arc::<AttemptObserver>::clone(&observer))
            .journal(Arc::new(AttemptJournal {
                attempt: from,
                engine: self.config.engine.clone(),
                interrupted,
            }))
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
            previous_error: active.stored_errors.get(task),
            max_output_bytes: self.config.limits.max_output_bytes,
            redact: self.config.redact.clone(),
            comparison: None,
            finds_results: false,
        };
        let abort = (self.attempts).spawn_on(job.perform(), &self.config.bodies);
        self.in_flight.insert(
            abort.id(),
            InFlight {
                key,
                task,
                attempt,
                logs,
                observer,
                _idle: idle,
                slots: Vec::new(),
            },
        );
        active.attempts.insert(
            task,
            AttemptHandle {
                attempt,
                stop,
                abort,
            },
        );
    }

    pub(crate) fn stop(&mut self, key: Key, task: TaskId, attempt: Attempt, by_force: bool) {
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        let Some(handle) = active.attempts.get(&task).filter(|f| f.attempt == attempt) else {
            return;
        };
        if by_force {
            handle.stop.kill();
            // A future that awaits ends here and drops its resources. One that blocks its thread
            // continues, and its report will be stale.
            handle.abort.abort();
            if let Some(given_up) = self.in_flight.get(&handle.abort.id()) {
                given_up.observer.flush();
            }
            active.attempts.remove(&task);
            self.forget_reservations_of(key, task);
        } else {
            handle.stop.cancel();
        }
        self.retry_reservations_soon(key);
    }

    /// The tokio task of an attempt has ended: with a result, by a panic, or because it was aborted.
    pub(crate) fn attempt_joined(&mut self, joined: Result<(Id, JobResult), JoinError>) {
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
        let Some(ended) = self.in_flight.remove(&id) else {
            return;
        };
        let InFlight {
            key, task, attempt, ..
        } = ended;
        ended.observer.flush();
        if self.is_current(AttemptRef { key, task, attempt }) {
            self.forget_reservations_of(key, task);
        }
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        let handle = active.attempts.get(&task);
        if handle.is_some_and(|handle| handle.attempt == attempt) {
            active.attempts.remove(&task);
            if result.is_none() {
                // The engine aborts an attempt only after it has removed its handle.
                self.is_orphaned = true;
                return;
            }
        }
        let redact = self.config.redact.as_deref();
        let log = ContentParts::of_logs(&ended.logs, redact);
        let has_log = log.is_some();
        let mut finished = None;
        let result = match result {
            Some(Ok((output, parts))) => {
                let bytes = parts.as_ref().map_or(0, ContentParts::len);
                let graph = active.scheduler.graph();
                let count = match Role::of(graph, task) {
                    Role::List => Some(driver::count_items(graph, task, &output.value)),
                    Role::Whole | Role::Item { .. } | Role::Collect(_) => None,
                };
                match (count, parts) {
                    (Some(Err(error)), _) => failed(&error.into(), redact),
                    (Some(Ok(count)), Some(list)) => {
                        finished = Some((output, bytes));
                        ReportResult::Listed { list, count }
                    }
                    (_, parts) => {
                        finished = Some((output, bytes));
                        ReportResult::Completed(parts)
                    }
                }
            }
            Some(Err(JobError::Failed(failure))) => failed(&failure, redact),
            Some(Err(JobError::Unreadable(error))) => {
                self.suspend_unreadable(key, &error);
                ReportResult::Lost
            }
            None => ReportResult::Lost,
        };
        let (outcome, content) = self.deliver(key, task, attempt, result, log);
        let now = self.config.clock.now();
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        if outcome == InputOutcome::Accepted && has_log {
            let removed = ended.observer.log.removed(active.chain.run(), now);
            active.put_drafts(removed);
        }
        if let (Some((output, bytes)), Some(id)) = (finished, content) {
            active.cache_output(task, id, output, bytes);
        }
    }

    /// The store cannot be read: that is no failure of the task. Nothing new starts, and the run can be resumed.
    pub(crate) fn suspend_unreadable(&mut self, key: Key, error: &RuntimeError) {
        let suspends = self.update(key, |active, now| {
            let reason = error.to_string();
            tracing::error!(run = %active.chain.run(), %reason, "the store cannot be read; the run is suspended");
            active.store_error.get_or_insert(reason);
            // A second request would end the grace period of the others.
            if active.scheduler.state() != RunState::Suspending {
                active.scheduler.handle(now, Input::Suspend);
            }
        });
        debug_assert!(suspends.is_some(), "the attempt belongs to an active run");
    }

    /// Passes the end of an attempt to the scheduler; returns whether it counts, and the number of its result.
    fn deliver(
        &mut self,
        key: Key,
        task: TaskId,
        attempt: Attempt,
        result: ReportResult<ContentParts>,
        log: Option<ContentParts>,
    ) -> (InputOutcome, Option<zeph_graph::ContentId>) {
        let report = Report {
            task,
            attempt,
            result,
            log,
        };
        let delivered = self.update(key, |active, now| {
            driver::deliver(&mut active.scheduler, &mut active.contents, now, report)
        });
        delivered.unwrap_or((InputOutcome::Stale, None))
    }

    /// Removes a run from the engine, and ends its attempts in flight.
    pub(crate) fn unload(&mut self, key: Key, error: Option<String>) {
        let Some(mut active) = self.runs.remove(&key) else {
            return;
        };
        // An attempt that still has its grace keeps its slots.
        let attempts = active.attempts.iter();
        let ids: Vec<_> = attempts
            .map(|(&task, one)| (task, one.abort.id()))
            .collect();
        for (task, id) in ids {
            if let Some(attempt) = self.in_flight.get_mut(&id) {
                attempt.slots = active.take_slots(task);
            }
        }
        self.by_id.remove(active.chain.run());
        self.dirty.remove(&key);
        self.awaiting_slots.remove(&key);
        self.leave_lanes(key);
        self.reservations.runs.remove(&key);
        self.set_deadline(key, None);
        self.slots_used -= active.scheduler.counts().in_flight();
        let grace = active.scheduler.policy().cancel_grace;
        for preparation in active.preparations.into_values() {
            preparation.abort();
        }
        for handle in active.attempts.into_values() {
            handle.stop.cancel();
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                handle.stop.kill();
                handle.abort.abort();
            });
        }
        for (ack, outcome) in active.acks {
            let _ = ack.send(match outcome {
                Ok(InputOutcome::Accepted) => Ok(InputOutcome::Stale),
                outcome => outcome,
            });
        }
        let report = match error {
            Some(error) => RunReport::cut_off(active.chain.run(), &active.snapshot.borrow(), error),
            None => {
                let questions = active.snapshot.borrow().questions.to_vec();
                let report = RunReport::new(active.chain.run(), &active.scheduler, questions);
                RunReport {
                    // A run that was opened and never resumed rests.
                    state: match active.scheduler.awaits_resume() {
                        true if report.end().is_none() => RunState::Suspended,
                        _ => report.state,
                    },
                    error: active.store_error,
                    ..report
                }
            }
        };
        // A caller that gets the report may start the next run of the group.
        drop(active.group);
        active.done.send_replace(Some(Arc::new(report)));
    }
}

/// The tools that the approval of a task names. It comes before the first attempt, and that of a task counts for its
/// items.
fn approved_tools(graph: &TaskGraph, task: TaskId) -> BTreeSet<String> {
    let of = graph.item(task).map_or(task, |(of, _)| of);
    let approval = graph.task(of).rules().approve.as_ref();
    approval.map_or_else(BTreeSet::new, |approval| approval.tools.clone())
}

/// What a task is for. Cost: its first dependants.
fn purpose(scheduler: &Scheduler, task: TaskId) -> Purpose {
    let graph = scheduler.graph();
    let dependants = scheduler
        .children(task)
        .iter()
        .take(Purpose::MAX_DEPENDANTS);
    let dependants = dependants.map(|&child| {
        let child = graph.task(child);
        let action = match child.work() {
            Work::Action { name, .. } => Some(name.to_string()),
            Work::Milestone | Work::Question(_) => None,
        };
        let name = child.name().to_owned();
        Dependant { name, action }
    });
    Purpose {
        goal: (graph.metadata().get("goal").cloned()).filter(|goal| !goal.trim().is_empty()),
        dependants: dependants.collect(),
    }
}

/// The part of a policy's `cancel_grace` that an executor gets. The rest is for its last report, before the
/// scheduler abandons the attempt.
#[must_use]
pub fn executor_grace(cancel_grace: Duration) -> Duration {
    cancel_grace - cancel_grace / 5
}

/// The `cancel_grace` of a policy that gives executors this grace.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_runtime::{cancel_grace_for, executor_grace};
/// let grace = Duration::from_secs(5);
/// assert_eq!(executor_grace(cancel_grace_for(grace)), grace);
/// ```
#[must_use]
pub fn cancel_grace_for(executor_grace: Duration) -> Duration {
    executor_grace.saturating_add(executor_grace / 4)
}

fn failed(failure: &Failure, redact: Option<&dyn Redact>) -> ReportResult<ContentParts> {
    ReportResult::Failed {
        fault: failure.fault,
        error: ContentParts::of_error(&failure.error, redact),
        retry_after: failure.error.retry_after(),
    }
}
