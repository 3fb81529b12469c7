//! Items: a task that runs once for each item of a list.

use zeph_graph::{Attempt, CutWhy, ItemFailure, TaskId};

use super::{Audit, LogEnd, LogState, TaskLog};
use crate::hold;
use crate::violation::Check;

impl Audit {
    pub(super) fn expanded(&mut self, task: TaskId, attempt: Option<Attempt>, count: u32) -> Check {
        let state = self.task_logs[task.index()].state;
        let parents = self.facts.graph().parents(task);
        let mut logs = parents.iter().map(|parent| &self.task_logs[parent.index()]);
        let is_due = match (attempt, state) {
            (Some(attempt), LogState::Running(running, None | Some(CutWhy::Suspend))) => {
                attempt == running
            }
            (None, LogState::Waiting) => self.starting && logs.all(TaskLog::is_completed),
            _ => false,
        };
        let items: Vec<TaskId> = self.facts.items(task).collect();
        let follow = items.iter().map(|item| item.index());
        let ends = self.ending.is_some() && !self.facts.rules(task).finally;
        hold!(
            is_due && !ends && follow.eq(self.known..self.known + count as usize),
            23,
            "patches_append",
            "{task} gets {count} items from {state:?}; it has {items:?} behind {} tasks",
            self.known
        );
        self.known += count as usize;
        self.charge_held(task)?;
        let log = &mut self.task_logs[task.index()];
        log.state = LogState::Mapping;
        // One more attempt collects the results.
        log.free += 1;
        Ok(())
    }

    /// Whether all items of a task have ended, and the task goes on as `foreach` says: it collects their results,
    /// or fails.
    pub(super) fn items_allow(&self, task: TaskId, fails: bool) -> bool {
        let foreach = self.facts.rules(task).foreach.unwrap_or_default();
        let mut failed = false;
        for item in self.facts.items(task) {
            let log = &self.task_logs[item.index()];
            if !log.is_ended() {
                return false;
            }
            failed |= log.is_failure;
        }
        fails == (failed && foreach.on_failure != ItemFailure::Skip)
    }

    pub(super) fn ends_failed(&mut self, task: TaskId) -> Check {
        self.task_logs[task.index()].is_failure = true;
        self.ends(task, LogEnd::Failed)
    }
}
