//! Propagation: the end of a task triggers or skips its dependents.

use zeph_graph::{AskWhy, Record, SkipWhy, TaskId, TaskState, Trigger};

use crate::machine::{Machine, PARENT_FAILED};

impl Machine {
    /// Evaluates the dependents of every task that has ended, and in turn theirs. Each dependency is
    /// visited once in a run.
    pub(crate) fn propagate(&mut self) {
        while let Some(parent) = self.ended.pop_front() {
            if self.run.ending.is_some() {
                self.ended.clear();
                return;
            }
            let count = self.links.children(parent).len();
            for i in 0..count {
                let child = self.links.children(parent)[i];
                self.evaluate(child);
            }
        }
    }

    /// Starts or skips a task whose trigger fires or can no longer fire.
    pub(crate) fn evaluate(&mut self, task: TaskId) {
        // A task between two attempts is never `Pending` here: the record that follows a failure is made
        // in the same call.
        if self.state(task) != TaskState::Pending {
            return;
        }
        let waiting = self.waiting[task.index()];
        let (open, parent_failed) = (waiting & !PARENT_FAILED, waiting & PARENT_FAILED != 0);
        match self.flags[task.index()].trigger {
            Trigger::AllSuccess if parent_failed => {
                let why = SkipWhy::Upstream(self.failed_parent(task));
                self.record(Record::Skipped { task, why });
                self.ended.push_back(task);
            }
            Trigger::AllSuccess | Trigger::AllDone if open == 0 => self.trigger_fired(task),
            Trigger::AllSuccess | Trigger::AllDone => {}
        }
    }

    fn trigger_fired(&mut self, task: TaskId) {
        if self.flags[task.index()].approve {
            self.ask(task, AskWhy::Approve);
        } else {
            self.launch(task);
        }
    }

    /// The first parent, in the order of the definition, that ended without completing.
    fn failed_parent(&self, task: TaskId) -> TaskId {
        let ended_badly = |parent: &&TaskId| {
            let state = self.state(**parent);
            state.is_end() && !state.is_completed()
        };
        let parents = self.graph.parents(task);
        parents.iter().find(ended_badly).copied().unwrap_or(task)
    }
}
