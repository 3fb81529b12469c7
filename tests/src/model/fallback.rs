//! Fallback: a task that runs in place of another one, in the model.

use zeph_graph::{Fault, TaskId};

use super::{Model, Stage, TaskEnd};

/// What a fallback that has not started does.
pub(super) enum Turn {
    /// Its user has not failed.
    Wait,
    /// Its user waits for it.
    Run,
    /// Its user has ended.
    NotNeeded,
}

impl Model {
    /// What a task that has not started does if it is a fallback.
    pub(super) fn turn(&self, task: TaskId) -> Option<Turn> {
        let user = self.facts.users[task.index()]?;
        Some(if self.stand_in(user).is_some() {
            Turn::Run
        } else if self.life(user).is_gone() {
            Turn::NotNeeded
        } else {
            Turn::Wait
        })
    }

    /// The task that runs in place of this one.
    pub(super) fn stand_in(&self, task: TaskId) -> Option<TaskId> {
        if let Stage::FallingBack(to, _) = self.lives.get(task.index())?.stage {
            Some(to)
        } else {
            None
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
                life.by_fallback = result.is_some();
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
