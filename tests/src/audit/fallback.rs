//! Fallbacks: tasks that run in place of others, according to the records.

use zeph_graph::{Fault, OnFailure, TaskId};

use super::{Audit, LogState};
use crate::hold;
use crate::violation::Check;

impl Audit {
    /// A task falls back when an attempt or its preparation has failed and is not repeated, to the task of its
    /// strategy.
    pub(super) fn inv_28_fell_back(&mut self, task: TaskId, to: TaskId, why: Fault) -> Check {
        let log = &self.task_logs[task.index()];
        let has_failed = match log.state {
            LogState::Between => log.attempts > 0 || log.is_unprepared,
            LogState::Mapping => why == Fault::Item && self.items_allow(task, true),
            LogState::Ready(_) | LogState::BackingOff(_) => why == Fault::TaskTimeout,
            LogState::Waiting
            | LogState::Preparing
            | LogState::Running(..)
            | LogState::Asking(_)
            | LogState::FallingBack(_)
            | LogState::Ended(_) => false,
        };
        let is_own = self.facts.rules(task).on_failure == OnFailure::Fallback(to);
        hold!(
            has_failed && is_own && why != Fault::Budget,
            28,
            "fallbacks_in_turn",
            "{task} falls back to {to} ({why}) from {:?}",
            log.state
        );
        self.task_logs[task.index()].state = LogState::FallingBack(to);
        Ok(())
    }

    /// Whether a task that is a fallback may start: its user has failed and waits for it.
    pub(super) fn is_in_turn(&self, task: TaskId) -> bool {
        self.facts.users[task.index()]
            .is_none_or(|user| self.task_logs[user.index()].state == LogState::FallingBack(task))
    }
}
