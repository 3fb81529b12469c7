//! Outcome: what follows when an attempt ends, by itself or because it was told to.

use std::time::Duration;

use zeph_graph::{
    Attempt, ContentId, CutHow, CutWhy, Effect, Fault, Output, Record, TaskId, TaskState,
};

use crate::batch::Action;
use crate::input::InputOutcome;
use crate::machine::Machine;

/// What an executor said when an attempt failed.
#[derive(Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) error: Option<ContentId>,
    pub(crate) log: Option<ContentId>,
    pub(crate) retry_after: Option<Duration>,
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
        match self.current(task, attempt) {
            // A result that makes it before the suspension is a result.
            Some(None | Some(CutWhy::Suspend)) => {
                self.record(Record::Completed { task, output, log });
                self.spread.push_back(task);
            }
            // The decision to stop it stands, whoever was faster.
            Some(Some(why)) => self.cut(task, attempt, Some(why), CutHow::Stopped, log),
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
            fault,
            error,
            log,
            retry_after,
        } = failure;
        match self.current(task, attempt) {
            Some(None) => {
                self.record(Record::AttemptFailed {
                    task,
                    attempt,
                    fault,
                    error,
                    log,
                });
                self.after_failure(task, fault, retry_after);
            }
            Some(Some(why)) => self.cut(task, attempt, Some(why), CutHow::Stopped, log),
            None => return InputOutcome::Stale,
        }
        InputOutcome::Accepted
    }

    pub(crate) fn on_lost(&mut self, task: TaskId, attempt: Attempt) -> InputOutcome {
        match self.current(task, attempt) {
            Some(why) => self.cut(task, attempt, why, CutHow::Lost, None),
            None => return InputOutcome::Stale,
        }
        InputOutcome::Accepted
    }

    /// If that attempt is in flight: why it is being stopped, if it is.
    pub(crate) fn current(&self, task: TaskId, attempt: Attempt) -> Option<Option<CutWhy>> {
        match self.state.get(task.index())? {
            TaskState::Running { attempt: a, .. } if *a == attempt => Some(None),
            TaskState::Canceling { attempt: a, why } if *a == attempt => Some(Some(*why)),
            TaskState::Running { .. }
            | TaskState::Canceling { .. }
            | TaskState::Pending
            | TaskState::Ready
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. } => None,
        }
    }

    /// An attempt that was being stopped has ended, was given up, or was lost.
    pub(crate) fn cut(
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
        if let Some(ending) = self.run.ending {
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
                self.spread.push_back(task);
            }
            Some(CutWhy::AttemptTimeout | CutWhy::TaskTimeout) if unknown && at_most_once => {
                self.ask_failure(task, Fault::Interrupted);
            }
            Some(CutWhy::AttemptTimeout) => self.after_failure(task, Fault::AttemptTimeout, None),
            Some(CutWhy::TaskTimeout) => self.after_failure(task, Fault::TaskTimeout, None),
            Some(CutWhy::Suspend) | None if at_most_once => {
                self.ask_failure(task, Fault::Interrupted);
            }
            Some(CutWhy::Suspend) | None => self.record(Record::Readied { task }),
        }
    }
}
