//! Fallback: a task that runs in place of another one, in the model.

use zeph_graph::{Fault, TaskId};

use super::{Model, Stage, TaskEnd};

impl Model {
    /// Whether it is the turn of a fallback: `Some(false)` if its user has ended without it. `None` for a task
    /// that is no fallback.
    pub(super) fn turn(&self, task: TaskId) -> Option<Option<bool>> {
        let user = self.facts.users[task.index()]?;
        Some(match self.life(user).stage {
            Stage::FallingBack(..) => Some(true),
            Stage::Ended(_) => Some(false),
            _ => None,
        })
    }

    /// The task that runs in place of this one.
    pub(super) fn stand_in(&self, task: TaskId) -> Option<TaskId> {
        match self.lives.get(task.index())?.stage {
            Stage::FallingBack(to, _) => Some(to),
            _ => None,
        }
    }

    /// Applies the end of a fallback to its user. True if anything changed.
    pub(super) fn follow_fallbacks(&mut self) -> bool {
        for task in self.ids() {
            let Stage::FallingBack(to, why) = self.life(task).stage else {
                continue;
            };
            if let Stage::Ended(end) = self.life(to).stage {
                let life = &mut self.lives[task.index()];
                let result = matches!(end, TaskEnd::Completed(_)).then_some(end);
                life.substituted |= result.is_some();
                life.stage = Stage::Ended(result.unwrap_or(TaskEnd::Failed(why)));
                return true;
            }
        }
        false
    }

    /// How a task ends with the run that waits for its fallback: as failed if the fallback has failed.
    pub(super) fn ends_failed(&self, task: TaskId) -> Option<Fault> {
        let Stage::FallingBack(to, why) = self.life(task).stage else {
            return None;
        };
        let has_failed = matches!(self.life(to).stage, Stage::Ended(TaskEnd::Failed(_)));
        has_failed.then_some(why)
    }
}
