//! Fallback: another task runs in place of a task that failed, and its end decides about both.

use zeph_graph::{CancelWhy, ContentId, Fault, ManualEnd, Record, SkipWhy, TaskId, TaskState};

use crate::machine::Machine;

/// What a fallback that has not started does.
pub(crate) enum Turn {
    /// Its user has not failed.
    Wait,
    /// Its user has failed and waits for it.
    Run,
    /// Its user has ended.
    NotNeeded,
}

impl Machine {
    /// Whether it is the turn of a fallback; `None` for any other task.
    pub(crate) fn turn(&self, task: TaskId) -> Option<Turn> {
        let user = self.graph.fallback_of(task)?;
        Some(if self.running_fallback(user).is_some() {
            Turn::Run
        } else if self.state(user).is_end() {
            Turn::NotNeeded
        } else {
            Turn::Wait
        })
    }

    /// Starts the fallback of a task that failed. If it has ended before, by hand or by a cancel, its end counts.
    pub(crate) fn fall_back(&mut self, task: TaskId, to: TaskId, why: Fault) {
        self.record(Record::FellBack { task, to, why });
        if self.state(to).is_end() {
            self.end_user(task);
        } else {
            self.evaluate(to);
        }
    }

    /// Ends a task whose fallback has ended: with the result of the fallback, or as failed.
    pub(crate) fn end_user(&mut self, task: TaskId) {
        let TaskState::FallingBack { to, why } = self.state(task) else {
            return;
        };
        if let TaskState::Completed { output } = self.state(to) {
            self.record(Record::Completed {
                task,
                output,
                log: None,
            });
            self.ended.push_back(task);
        } else {
            self.fail(task, why);
        }
    }

    /// After the end of a task: ends the task whose fallback it is, and skips its own fallback if that is not
    /// needed.
    pub(crate) fn after_fallback(&mut self, ended: TaskId) {
        // Fast path: most graphs have no fallback.
        if !self.graph.has_fallbacks() {
            return;
        }
        if let Some(user) = self.graph.fallback_of(ended) {
            self.end_user(user);
        }
        if let Some(fallback) = self.graph.fallback(ended) {
            self.evaluate(fallback);
        }
    }

    /// Cancels what runs in place of a task that was canceled, and in turn what runs in place of that.
    pub(crate) fn cancel_fallbacks(&mut self, mut at: Option<TaskId>, why: CancelWhy) {
        while let Some(task) = at {
            at = self.running_fallback(task);
            self.cancel_alone(task, why);
        }
    }

    /// Skips what runs in place of a task that has been given this end, and in turn what runs in place of that.
    pub(crate) fn skip_fallbacks(
        &mut self,
        mut at: Option<TaskId>,
        end: ManualEnd,
        by: Option<ContentId>,
    ) {
        while let Some(task) = at {
            at = self.running_fallback(task);
            self.override_alone(task, end.of_parts(), by);
        }
    }

    /// The task that runs in place of this one.
    pub(crate) fn running_fallback(&self, task: TaskId) -> Option<TaskId> {
        if let TaskState::FallingBack { to, .. } = self.state(task) {
            Some(to)
        } else {
            None
        }
    }

    /// The task that ran in place of this one and did not complete.
    pub(crate) fn failed_fallback(&self, task: TaskId) -> Option<TaskId> {
        let fallback = self.graph.fallback(task)?;
        // A fallback that was canceled or skipped by hand may not have been asked for.
        let was_used = matches!(
            self.state(fallback),
            TaskState::Failed { .. }
                | TaskState::Skipped {
                    why: SkipWhy::Condition | SkipWhy::Declined | SkipWhy::Executor
                }
        );
        (self.has_failed(task) && was_used).then_some(fallback)
    }

    pub(crate) fn has_failed(&self, task: TaskId) -> bool {
        matches!(self.state(task), TaskState::Failed { .. })
    }

    /// Whether a fallback has ended without a result.
    pub(crate) fn has_no_result(&self, fallback: TaskId) -> bool {
        let state = self.state(fallback);
        state.is_end() && !state.is_completed()
    }

    /// Whether a task may fall back: an attempt or its preparation has failed, and the fallback is its own.
    pub(crate) fn allows_fell_back(&self, task: TaskId, to: TaskId) -> bool {
        let is_own = self.graph.fallback(task) == Some(to);
        let state = self.state(task);
        let is_resting = matches!(
            state,
            TaskState::Pending | TaskState::Ready | TaskState::BackingOff { .. }
        );
        let has_failed = is_resting && self.has_tried(task) && !self.preparing.contains(&task);
        let has_items = state == TaskState::Mapping && self.has_ended_items(task);
        is_own && (has_failed || has_items)
    }
}
