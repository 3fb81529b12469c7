//! Fallbacks in a retry: a fallback follows the task that it stands in for.

use zeph_graph::{Effect, TaskGraph, TaskId};

use super::items::Compared;
use super::{Kept, RetryPlan, RunsAgain};
use crate::error::RuntimeError;

impl Compared<'_> {
    /// Why a task that completed with the result of its fallback runs again: the fallback has changed, is gone,
    /// or was chosen.
    pub(super) fn fallback_changed(&self, graph: &TaskGraph, id: TaskId) -> Option<RunsAgain> {
        let before = self.find(graph.task(id).name())?;
        let mut stood_in = self.view.stand_in(before);
        // Fallbacks do not go round in a circle.
        while let Some(other) = stood_in {
            let name = self.view.graph().task(other).name();
            let Some(now) = graph.find(name) else {
                return Some(RunsAgain::Changed);
            };
            if let Err(why @ (RunsAgain::Changed | RunsAgain::Chosen)) = self.whole(graph, now) {
                return Some(why);
            }
            stood_in = self.view.stand_in(other);
        }
        None
    }
}

impl RetryPlan {
    /// Each fallback stands by: it takes over no result, and runs only if its user runs and fails.
    pub(super) fn stand_by(&mut self) {
        let ids: Vec<TaskId> = self.graph.ids().rev().collect();
        // A fallback comes before its user, and so is visited after it.
        for id in ids {
            if let Some(user) = self.graph.fallback_of(id) {
                let is_once = self.graph.task(id).rules().effect == Effect::AtMostOnce;
                let kept = match (&self.tasks[user.index()], &self.tasks[id.index()]) {
                    (Ok(_), _) => Ok(Kept::StandsBy),
                    (Err(_), Ok(_)) if is_once => Err(RunsAgain::EffectRepeated),
                    (
                        Err(_),
                        &Err(why @ (RunsAgain::EffectUnknown | RunsAgain::EffectRepeated)),
                    ) => Err(why),
                    (Err(_), &Err(RunsAgain::Chosen)) if is_once => Err(RunsAgain::Chosen),
                    (Err(_), _) => Err(RunsAgain::StandsBy(user)),
                };
                self.tasks[id.index()] = kept;
            }
        }
    }

    /// Refuses a change of a fallback, which has no result of its own.
    pub(super) fn check_own_result(&self, task: TaskId, what: &str) -> Result<(), RuntimeError> {
        let Some(user) = self.graph.fallback_of(task) else {
            return Ok(());
        };
        let name = |id| self.graph.task(id).name();
        let (task, user) = (name(task), name(user));
        Err(RuntimeError::Refused {
            run: self.of.clone(),
            reason: format!("{task} runs only in place of {user}: {what} {user}"),
        })
    }

    /// Whether the task is the fallback of one that keeps its result, and so has nothing to do.
    ///
    /// # Panics
    /// If the id is not one of the [graph](Self::graph).
    #[must_use]
    pub fn stands_by(&self, task: TaskId) -> bool {
        self.tasks[task.index()] == Ok(Kept::StandsBy)
    }
}
