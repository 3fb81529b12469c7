//! Cancel: by task, by what depends on it, by run; and what an ending run takes with it.

use std::collections::BTreeSet;

use zeph_graph::{Attempt, CancelWhy, CutWhy, EndingWhy, Record, TaskId, TaskState};

use crate::batch::Action;
use crate::input::{InputOutcome, Scope};
use crate::machine::{Machine, Phase};

impl Machine {
    pub(crate) fn on_cancel(&mut self, scope: Scope) -> InputOutcome {
        match scope {
            Scope::Task(task) => self.cancel_one(task, CancelWhy::Task),
            Scope::Downstream(task) => self.cancel_downstream(task),
            Scope::Run if self.run.ending.is_some() => InputOutcome::Stale,
            Scope::Run => {
                self.begin_ending(EndingWhy::Cancel);
                InputOutcome::Accepted
            }
        }
    }

    fn cancel_one(&mut self, task: TaskId, why: CancelWhy) -> InputOutcome {
        let Some(&state) = self.state.get(task.index()) else {
            return InputOutcome::Stale;
        };
        match state {
            TaskState::Pending
            | TaskState::Ready
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. } => {
                self.record(Record::Canceled { task, why });
                self.spread.push_back(task);
            }
            TaskState::Running { attempt, .. } => self.stop(task, attempt, CutWhy::Cancel(why)),
            TaskState::Canceling {
                why: CutWhy::Cancel(_),
                ..
            } => return InputOutcome::Stale,
            // It has been told to end already; only what follows changes.
            TaskState::Canceling { attempt, .. } => {
                let why = CutWhy::Cancel(why);
                self.record(Record::CancelRequested { task, attempt, why });
            }
            TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. } => return InputOutcome::Stale,
        }
        InputOutcome::Accepted
    }

    /// Every task on a path from `root` that has not ended, in the order of their numbers.
    ///
    /// Cost: the tasks and dependencies of that cone, each with a logarithm of its size.
    fn cancel_downstream(&mut self, root: TaskId) -> InputOutcome {
        if root.index() >= self.state.len() {
            return InputOutcome::Stale;
        }
        let mut reception = self.cancel_one(root, CancelWhy::Task);
        // A dependency has a lower number than what depends on it, so that the first of those that are
        // left is always the next in order.
        let mut cone: BTreeSet<TaskId> = self.links.children(root).iter().copied().collect();
        while let Some(task) = cone.pop_first() {
            cone.extend(self.links.children(task));
            if self.cancel_one(task, CancelWhy::Downstream) == InputOutcome::Accepted {
                reception = InputOutcome::Accepted;
            }
        }
        reception
    }

    /// Tells an attempt to end.
    pub(crate) fn stop(&mut self, task: TaskId, attempt: Attempt, why: CutWhy) {
        self.record(Record::CancelRequested { task, attempt, why });
        self.actions.push(Action::Cancel { task, attempt });
    }

    /// From here on nothing starts: what runs is told to end, the rest has ended. One step.
    pub(crate) fn begin_ending(&mut self, why: EndingWhy) {
        if self.run.ending.is_some() {
            return;
        }
        self.record(Record::Ending { why });
        let why = why.cancel_why();
        for task in self.graph.ids() {
            match self.state(task) {
                TaskState::Pending
                | TaskState::Ready
                | TaskState::BackingOff { .. }
                | TaskState::Asking { .. } => self.record(Record::Canceled { task, why }),
                TaskState::Running { attempt, .. } => {
                    self.stop(task, attempt, CutWhy::Cancel(why));
                }
                // It has been told to end already, and its end will be this run's.
                TaskState::Canceling { .. } => {}
                TaskState::Completed { .. }
                | TaskState::Failed { .. }
                | TaskState::Skipped { .. }
                | TaskState::Canceled { .. } => {}
            }
        }
    }

    /// Suspends: nothing new starts. The second time the grace is over.
    pub(crate) fn on_suspend(&mut self) -> InputOutcome {
        match self.run.phase {
            Phase::Live if self.run.ending.is_some() || self.dormant => InputOutcome::Stale,
            Phase::Live => {
                self.record(Record::Suspending);
                InputOutcome::Accepted
            }
            Phase::Suspending if self.counts.running > 0 => {
                self.stop_for_suspension();
                InputOutcome::Accepted
            }
            Phase::Suspending | Phase::New | Phase::Suspended | Phase::Ended(_) => {
                InputOutcome::Stale
            }
        }
    }

    pub(crate) fn stop_for_suspension(&mut self) {
        for task in self.graph.ids() {
            if let TaskState::Running { attempt, .. } = self.state(task) {
                self.stop(task, attempt, CutWhy::Suspend);
            }
        }
    }
}
