//! Prepare: before a task with a condition or a possible result starts, the driver says whether it runs.

use zeph_graph::{ContentId, Fault, Output, Record, SkipWhy, SuppliedWhy, TaskId, TaskState};

use crate::batch::Action;
use crate::input::{InputOutcome, Prepared};
use crate::machine::Machine;

/// Why a task has a result that an earlier run made, although something that it depends on runs in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reused {
    /// The reason.
    pub why: SuppliedWhy,
    /// The content that names the run; none if it is the one that this run retries.
    pub from: Option<ContentId>,
}

impl Machine {
    pub(crate) fn prepare(&mut self, task: TaskId) {
        self.record(Record::Preparing { task });
        self.actions.push(Action::Prepare { task });
    }

    pub(crate) fn on_prepared(&mut self, task: TaskId, then: Prepared) -> InputOutcome {
        if self.awaiting_resume || !self.preparing.contains(&task) {
            return InputOutcome::Stale;
        }
        match then {
            Prepared::Run => self.approve_or_launch(task),
            Prepared::Skip { reason: error } => {
                let fault = Fault::Skipped;
                self.record(Record::PrepareFailed { task, fault, error });
                self.skip(task, SkipWhy::Condition);
            }
            Prepared::Supply { output, why, from } => {
                let output = output.map_or(Output::None, Output::Content);
                self.record(Record::Supplied {
                    task,
                    output,
                    why,
                    from,
                });
                self.ended.push_back(task);
            }
            Prepared::Fail { error } => {
                let fault = Fault::Prepare;
                self.record(Record::PrepareFailed { task, fault, error });
                self.strategy(task, fault);
            }
        }
        InputOutcome::Accepted
    }

    /// Asks the driver again, after a resumption.
    pub(crate) fn prepare_again(&mut self) {
        let tasks = self.preparing.iter();
        let actions = tasks.map(|&task| Action::Prepare { task });
        self.actions.extend(actions);
    }

    /// Whether the task has the rule, its trigger has fired, and nothing has been done for it.
    pub(crate) fn allows_preparing(&self, task: TaskId) -> bool {
        self.flags[task.index()].prepare
            && self.state(task) == TaskState::Pending
            && self.attempts[task.index()] == 0
            && !self.preparing.contains(&task)
            && self.has_fired(task)
    }

    /// Whether an attempt was made, or the preparation has said that the task does not run: it can fail, be
    /// skipped, ask, or complete with a substitute.
    pub(crate) fn has_tried(&self, task: TaskId) -> bool {
        self.attempts[task.index()] > 0 || self.unprepared.contains(&task)
    }
}
