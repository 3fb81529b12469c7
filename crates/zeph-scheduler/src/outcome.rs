//! Outcome: the consequences of an attempt that completes, fails, is stopped, or is lost.

use std::time::Duration;

use zeph_graph::{
    Attempt, ContentId, CutHow, CutWhy, Effect, Fault, Output, Record, TaskId, TaskState,
};

use crate::batch::Action;
use crate::input::InputOutcome;
use crate::machine::Machine;

/// The failure of an attempt, as its executor reported it.
#[derive(Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) error: Option<ContentId>,
    pub(crate) log: Option<ContentId>,
    pub(crate) retry_after: Option<Duration>,
}

/// The condition of an attempt in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InFlight {
    /// It is running.
    Running,
    /// It is being stopped for this reason.
    Stopping(CutWhy),
}

impl Machine {
    pub(crate) fn on_completed(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        output: Option<ContentId>,
        log: Option<ContentId>,
    ) -> InputOutcome {
        let output = output.map_or(Output::None, Output::Content);
        match self.in_flight(task, attempt) {
            // A result within the grace period of a suspension counts.
            Some(InFlight::Running | InFlight::Stopping(CutWhy::Suspend)) => {
                self.record(Record::Completed { task, output, log });
                self.ended.push_back(task);
            }
            // After a cancel or a time-out a late result does not count.
            Some(InFlight::Stopping(why)) => {
                self.attempt_cut(task, attempt, Some(why), CutHow::Stopped, log);
            }
            None => return InputOutcome::Stale,
        }
        InputOutcome::Accepted
    }

    pub(crate) fn on_failed(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        failure: Failure,
    ) -> InputOutcome {
        let Failure {
            mut fault,
            error,
            log,
            retry_after,
        } = failure;
        match self.in_flight(task, attempt) {
            Some(InFlight::Running) => {
                // What may be repeated is repeated as after any other error.
                if fault == Fault::Interrupted && self.effect(task) != Effect::AtMostOnce {
                    fault = Fault::Error;
                }
                self.record(Record::AttemptFailed {
                    task,
                    attempt,
                    fault,
                    error,
                    log,
                });
                if fault == Fault::Interrupted {
                    self.ask_failure(task, fault);
                } else {
                    self.after_failure(task, fault, retry_after);
                }
            }
            Some(InFlight::Stopping(why)) => {
                let how = if fault == Fault::Interrupted {
                    CutHow::Killed
                } else {
                    CutHow::Stopped
                };
                self.attempt_cut(task, attempt, Some(why), how, log);
            }
            None => return InputOutcome::Stale,
        }
        InputOutcome::Accepted
    }

    pub(crate) fn on_idle(&mut self, task: TaskId, attempt: Attempt) -> InputOutcome {
        let is_running = self.in_flight(task, attempt) == Some(InFlight::Running);
        if !is_running || self.graph.task(task).rules().idle_timeout.is_none() {
            return InputOutcome::Stale;
        }
        self.stop(task, attempt, CutWhy::IdleTimeout);
        InputOutcome::Accepted
    }

    pub(crate) fn on_lost(&mut self, task: TaskId, attempt: Attempt) -> InputOutcome {
        let why = match self.in_flight(task, attempt) {
            Some(InFlight::Running) => None,
            Some(InFlight::Stopping(why)) => Some(why),
            None => return InputOutcome::Stale,
        };
        self.attempt_cut(task, attempt, why, CutHow::Lost, None);
        InputOutcome::Accepted
    }

    /// The condition of the attempt, if it is in flight.
    pub(crate) fn in_flight(&self, task: TaskId, attempt: Attempt) -> Option<InFlight> {
        match self.state.get(task.index())? {
            TaskState::Running { attempt: a, .. } if *a == attempt => Some(InFlight::Running),
            TaskState::Canceling { attempt: a, why } if *a == attempt => {
                Some(InFlight::Stopping(*why))
            }
            TaskState::Running { .. }
            | TaskState::Canceling { .. }
            | TaskState::Pending
            | TaskState::Ready
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::Mapping
            | TaskState::FallingBack { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. } => None,
        }
    }

    /// Records that an attempt was stopped, abandoned or lost, and the consequence. `why` is the reason for
    /// which it was being stopped, if it was.
    pub(crate) fn attempt_cut(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        why: Option<CutWhy>,
        how: CutHow,
        log: Option<ContentId>,
    ) {
        self.record(Record::AttemptCut {
            task,
            attempt,
            how,
            log,
        });
        if how == CutHow::Abandoned {
            self.actions.push(Action::Abandon { task, attempt });
        }
        if why == Some(CutWhy::Override)
            && let Some(&end) = self.overrides.get(&task)
        {
            return self.end_by_hand(task, end);
        }
        if let Some(ending) = self.run.ending
            && !self.is_finalizer(task)
        {
            self.record(Record::Canceled {
                task,
                why: ending.cancel_why(),
            });
            return;
        }
        let at_most_once = self.effect(task) == Effect::AtMostOnce;
        let unknown = how != CutHow::Stopped;
        match why {
            Some(CutWhy::Cancel(why)) => {
                self.record(Record::Canceled { task, why });
                self.ended.push_back(task);
            }
            Some(CutWhy::AttemptTimeout | CutWhy::IdleTimeout | CutWhy::TaskTimeout)
                if unknown && at_most_once =>
            {
                self.ask_failure(task, Fault::Interrupted);
            }
            Some(CutWhy::AttemptTimeout) => self.after_failure(task, Fault::AttemptTimeout, None),
            Some(CutWhy::IdleTimeout) => self.after_failure(task, Fault::IdleTimeout, None),
            Some(CutWhy::TaskTimeout) => self.after_failure(task, Fault::TaskTimeout, None),
            Some(CutWhy::Suspend | CutWhy::Override) | None if at_most_once => {
                self.ask_failure(task, Fault::Interrupted);
            }
            Some(CutWhy::Suspend | CutWhy::Override) | None => {
                self.record(Record::Readied { task });
            }
        }
    }
}
