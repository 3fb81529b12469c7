//! Propagation: the end of a task triggers or skips its dependents.

use zeph_graph::{AskWhy, Record, SkipWhy, TaskId, TaskState, Trigger};

use crate::fallback::Turn;
use crate::machine::{Machine, Phase, Waiting};

/// What a trigger says, given how the parents ended.
enum Decision {
    Wait,
    Fire,
    Skip(SkipWhy),
}

impl Machine {
    /// Evaluates the dependents of every task that has ended, and in turn theirs; then the finalizers, once no
    /// other work is open. Each dependency is visited once in a run.
    pub(crate) fn propagate(&mut self) {
        loop {
            while let Some(parent) = self.ended.pop_front() {
                if self.graph.item(parent).is_some() {
                    self.ended_items.push_back(parent);
                }
                let count = self.links.children(parent).len();
                for i in 0..count {
                    let child = self.links.children(parent)[i];
                    self.evaluate(child);
                }
                self.after_fallback(parent);
            }
            // What an item decides about its task comes after what it decides about its own dependents.
            if let Some(item) = self.ended_items.pop_front() {
                self.after_item(item);
                continue;
            }
            let is_new = self.run.phase == Phase::New;
            if is_new || self.open_work > 0 || self.finalizers.is_empty() {
                return;
            }
            for task in std::mem::take(&mut self.finalizers) {
                self.evaluate(task);
            }
        }
    }

    /// Starts or skips a task whose trigger fires or can no longer fire.
    pub(crate) fn evaluate(&mut self, task: TaskId) {
        // A task between two attempts is never `Pending` here: the record that follows a failure is made
        // in the same call.
        let is_waiting = self.state(task) == TaskState::Pending && !self.preparing.contains(&task);
        if !is_waiting {
            return;
        }
        match self.decide(task) {
            Decision::Wait => {}
            Decision::Fire => self.trigger_fired(task),
            Decision::Skip(why) => self.skip(task, why),
        }
    }

    /// Whether the trigger of a task without an end has fired.
    pub(crate) fn has_fired(&self, task: TaskId) -> bool {
        matches!(self.decide(task), Decision::Fire)
    }

    fn decide(&self, task: TaskId) -> Decision {
        let has_to_wait = self.is_finalizer(task) && self.open_work > 0;
        if has_to_wait {
            return Decision::Wait;
        }
        match self.turn(task) {
            None => {}
            Some(Turn::Wait) => return Decision::Wait,
            Some(Turn::Run) => return Decision::Fire,
            Some(Turn::NotNeeded) => return Decision::Skip(SkipWhy::NotNeeded),
        }
        let waiting = self.waiting[task.index()];
        let trigger = self.flags[task.index()].trigger;
        let spoils = match trigger {
            Trigger::AllSuccess => Waiting::FAILED | Waiting::SKIPPED,
            Trigger::NoneFailed => Waiting::FAILED,
            Trigger::AllDone | Trigger::AnySuccess | Trigger::AnyFailed => 0,
        };
        if waiting.any(spoils) {
            return Decision::Skip(SkipWhy::Upstream(self.spoiling_parent(task, trigger)));
        }
        let wanted = match trigger {
            Trigger::AnySuccess => Waiting::COMPLETED,
            Trigger::AnyFailed => Waiting::FAILED,
            Trigger::AllSuccess | Trigger::AllDone | Trigger::NoneFailed => {
                return match waiting.open() {
                    0 => Decision::Fire,
                    _ => Decision::Wait,
                };
            }
        };
        if waiting.any(wanted) || self.graph.parents(task).is_empty() {
            Decision::Fire
        } else if waiting.open() > 0 {
            Decision::Wait
        } else if trigger == Trigger::AnyFailed {
            Decision::Skip(SkipWhy::NoFailure)
        } else {
            Decision::Skip(SkipWhy::Upstream(self.spoiling_parent(task, trigger)))
        }
    }

    pub(crate) fn skip(&mut self, task: TaskId, why: SkipWhy) {
        self.record(Record::Skipped { task, why });
        self.ended.push_back(task);
    }

    /// Prepares the task, or starts what comes next.
    pub(crate) fn trigger_fired(&mut self, task: TaskId) {
        if self.flags[task.index()].prepare && self.attempts[task.index()] == 0 {
            self.prepare(task);
        } else {
            self.approve_or_launch(task);
        }
    }

    pub(crate) fn approve_or_launch(&mut self, task: TaskId) {
        if self.flags[task.index()].approve {
            self.ask(task, AskWhy::Approve);
        } else {
            self.launch(task);
        }
    }

    /// The first parent, in the order of the definition, that keeps the trigger from firing.
    fn spoiling_parent(&self, task: TaskId, trigger: Trigger) -> TaskId {
        let spoils = |parent: &&TaskId| {
            let state = self.state(**parent);
            let is_skipped = matches!(state, TaskState::Skipped { .. });
            let counts = !is_skipped || trigger != Trigger::NoneFailed;
            state.is_end() && !state.is_completed() && counts
        };
        let parents = self.graph.parents(task);
        parents.iter().find(spoils).copied().unwrap_or(task)
    }
}
