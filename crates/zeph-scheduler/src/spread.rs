//! Spread: what the end of a task means for those that depend on it.

use zeph_graph::{AskWhy, Record, SkipWhy, TaskId, TaskState, Trigger};

use crate::machine::{Machine, SPOILED};

impl Machine {
    /// Looks at the dependants of every task that has ended, and at theirs, until nothing moves.
    /// Each dependency is looked at once in a run.
    pub(crate) fn spread(&mut self) {
        while let Some(parent) = self.spread.pop_front() {
            if self.run.ending.is_some() {
                self.spread.clear();
                return;
            }
            let count = self.links.children(parent).len();
            for i in 0..count {
                let child = self.links.children(parent)[i];
                self.consider(child);
            }
        }
    }

    /// A parent of this task has ended: does its trigger fire, or can it no longer?
    pub(crate) fn consider(&mut self, task: TaskId) {
        // A task that was lost or failed and waits for its next record is never here: that record
        // comes in the same call.
        if self.state(task) != TaskState::Pending {
            return;
        }
        let waiting = self.waiting[task.index()];
        let (open, spoiled) = (waiting & !SPOILED, waiting & SPOILED != 0);
        match self.traits[task.index()].trigger {
            Trigger::AllSuccess if spoiled => {
                let why = SkipWhy::Upstream(self.spoiler(task));
                self.record(Record::Skipped { task, why });
                self.spread.push_back(task);
            }
            Trigger::AllSuccess | Trigger::AllDone if open == 0 => self.fire(task),
            Trigger::AllSuccess | Trigger::AllDone => {}
        }
    }

    fn fire(&mut self, task: TaskId) {
        if self.traits[task.index()].approve {
            self.ask(task, AskWhy::Approve);
        } else {
            self.launch(task);
        }
    }

    /// The first parent, in the order they were given, that ended without completing.
    fn spoiler(&self, task: TaskId) -> TaskId {
        let ended_badly = |parent: &&TaskId| {
            let state = self.state(**parent);
            state.is_end() && !state.is_completed()
        };
        let parents = self.graph.parents(task);
        parents.iter().find(ended_badly).copied().unwrap_or(task)
    }
}
