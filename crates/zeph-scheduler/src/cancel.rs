//! Cancel: of a task, of a task and its dependents, of the run; also the stop of a suspension.

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
            Scope::Run if self.open_work == 0 || self.run.ending.is_some() => {
                self.cancel_finalizers()
            }
            Scope::Run => {
                self.begin_ending(EndingWhy::Cancel);
                InputOutcome::Accepted
            }
        }
    }

    /// Cancels a task, and what runs in place of it.
    pub(crate) fn cancel_one(&mut self, task: TaskId, why: CancelWhy) -> InputOutcome {
        if task.index() >= self.state.len() {
            return InputOutcome::Stale;
        }
        let fallback = self.running_fallback(task);
        let outcome = self.cancel_alone(task, why);
        self.cancel_fallbacks(fallback, why);
        outcome
    }

    pub(crate) fn cancel_alone(&mut self, task: TaskId, why: CancelWhy) -> InputOutcome {
        let state = self.state(task);
        match state {
            TaskState::Pending
            | TaskState::Ready
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::FallingBack { .. }
            | TaskState::Mapping => {
                self.record(Record::Canceled { task, why });
                self.ended.push_back(task);
                if state == TaskState::Mapping {
                    self.cancel_items(task, why);
                }
            }
            TaskState::Running { attempt, .. } => self.stop(task, attempt, CutWhy::Cancel(why)),
            // The end of the task is decided.
            TaskState::Canceling {
                why: CutWhy::Cancel(_) | CutWhy::Override,
                ..
            } => return InputOutcome::Stale,
            // The executor has been asked to stop already; only the reason changes.
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

    /// Cancels the finalizers of a run whose work has ended or is being stopped.
    fn cancel_finalizers(&mut self) -> InputOutcome {
        let mut outcome = InputOutcome::Stale;
        for task in self.graph.ids() {
            if self.is_finalizer(task)
                && self.cancel_one(task, CancelWhy::Run) == InputOutcome::Accepted
            {
                outcome = InputOutcome::Accepted;
            }
        }
        outcome
    }

    /// Cancels `root` and every unfinished task that depends on it, in the order of their numbers. Finalizers
    /// run whatever happened before, so only those that depend on a canceled finalizer are included.
    ///
    /// Cost: the dependents and their dependencies, each with a logarithm of their number.
    fn cancel_downstream(&mut self, root: TaskId) -> InputOutcome {
        if root.index() >= self.state.len() {
            return InputOutcome::Stale;
        }
        let why = CancelWhy::Downstream(root.as_u32());
        let mut outcome = self.cancel_one(root, why);
        // Dependents have higher numbers, so the lowest number in the set is always the next in order.
        let mut dependents: BTreeSet<TaskId> = self.links.children(root).iter().copied().collect();
        while let Some(task) = dependents.pop_first() {
            if self.is_finalizer(task) && !self.is_finalizer(root) {
                continue;
            }
            dependents.extend(self.links.children(task));
            if self.cancel_one(task, why) == InputOutcome::Accepted {
                outcome = InputOutcome::Accepted;
            }
        }
        outcome
    }

    /// Asks an attempt to stop.
    pub(crate) fn stop(&mut self, task: TaskId, attempt: Attempt, why: CutWhy) {
        self.record(Record::CancelRequested { task, attempt, why });
        self.actions.push(Action::Cancel { task, attempt });
    }

    /// Ends the run: running attempts are asked to stop, all other unfinished tasks are canceled, and then
    /// the finalizers run.
    pub(crate) fn begin_ending(&mut self, why: EndingWhy) {
        if self.run.ending.is_some() {
            return;
        }
        self.record(Record::Ending { why });
        let why = why.cancel_why();
        for task in self.graph.ids() {
            if self.is_finalizer(task) {
                continue;
            }
            match self.state(task) {
                TaskState::Pending
                | TaskState::Ready
                | TaskState::BackingOff { .. }
                | TaskState::Asking { .. }
                | TaskState::Mapping => self.record(Record::Canceled { task, why }),
                // The failure of its fallback ends the run.
                TaskState::FallingBack { to, why } if self.has_failed(to) => {
                    self.record(Record::Failed { task, why });
                }
                TaskState::FallingBack { .. } => self.record(Record::Canceled { task, why }),
                TaskState::Running { attempt, .. } => {
                    self.stop(task, attempt, CutWhy::Cancel(why));
                }
                // The attempt is being stopped already; when it ends, its task is canceled with the run.
                TaskState::Canceling { .. } => {}
                TaskState::Completed { .. }
                | TaskState::Failed { .. }
                | TaskState::Skipped { .. }
                | TaskState::Canceled { .. } => {}
            }
        }
    }

    /// Suspends the run: nothing new starts. A second suspend ends the grace period at once.
    pub(crate) fn on_suspend(&mut self) -> InputOutcome {
        match self.run.phase {
            Phase::Live if self.is_winding_down() || self.awaiting_resume => InputOutcome::Stale,
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
