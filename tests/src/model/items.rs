//! Items: a task that runs once for each item of a list, in the model.

use std::sync::Arc;

use zeph_graph::{CancelWhy, CutHow, CutWhy, Fault, ItemFailure, TaskId};
use zeph_scheduler::InputOutcome;

use super::{Life, Model, Phase, Stage, TaskEnd};
use crate::facts::Facts;

impl Model {
    /// An attempt returned a list. `grown` is the facts with the items, or `None` if the task cannot have them.
    pub(super) fn expanded(
        &mut self,
        task: TaskId,
        no: u32,
        grown: Option<Arc<Facts>>,
    ) -> InputOutcome {
        let ends = self.ending.is_some() && !self.facts.rules(task).finally;
        match self.current(task, no) {
            None => return InputOutcome::Stale,
            Some(None | Some(CutWhy::Suspend)) if !ends => {}
            Some(why) => {
                self.attempt_over(task, why, CutHow::Stopped);
                return InputOutcome::Accepted;
            }
        }
        let Some(grown) = grown else {
            return InputOutcome::Rejected;
        };
        self.lives[task.index()].budget.charge_held();
        self.lives[task.index()].stage = Stage::Mapping;
        self.adopt(grown);
        InputOutcome::Accepted
    }

    pub(super) fn adopt(&mut self, grown: Arc<Facts>) {
        self.lives.resize(grown.graph().len(), Life::default());
        self.facts = grown;
    }

    pub(super) fn supply_items(&mut self, task: TaskId, count: u32) -> InputOutcome {
        let is_taken = self.supplied.contains_key(&task) || self.supplied_items.contains_key(&task);
        if self.phase != Phase::New || !self.known(task) || is_taken {
            return InputOutcome::Stale;
        }
        let fits = Facts::with_items(self.facts.graph(), task, count).is_some();
        if !fits || !self.has_supplied_parents(task) {
            return InputOutcome::Rejected;
        }
        self.supplied_items.insert(task, count);
        InputOutcome::Accepted
    }

    /// Applies the ends of items to their siblings or to one of their tasks. True if anything changed.
    pub(super) fn follow_items(&mut self) -> bool {
        for task in self.ids() {
            if self.life(task).stage != Stage::Mapping {
                continue;
            }
            let items: Vec<TaskId> = self.facts.items(task).collect();
            let rule = (self.facts.rules(task).foreach).map(|foreach| foreach.on_failure);
            let rule = rule.unwrap_or_default();
            let has_failed = items
                .iter()
                .any(|&item| matches!(self.life(item).stage, Stage::Ended(TaskEnd::Failed(_))));
            if has_failed && rule == ItemFailure::Abort {
                let mut moved = false;
                for &item in &items {
                    moved |= self.cancel_task(item, CancelWhy::Item);
                }
                if moved {
                    return true;
                }
            }
            if items.iter().all(|&item| self.life(item).is_gone()) {
                if has_failed && rule != ItemFailure::Skip {
                    self.last_resort(task, Fault::Item);
                } else {
                    self.queue(task);
                }
                return true;
            }
        }
        false
    }
}
