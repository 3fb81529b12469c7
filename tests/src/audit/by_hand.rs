//! By hand: the ends that persons give, according to the records.

use zeph_graph::{CutWhy, ManualEnd, Output, Record, SkipWhy, TaskId};

use super::{Audit, LogState, Required};
use crate::hold;
use crate::violation::Check;

impl Audit {
    /// An end is given once, to a task that has none, and a definition has no say in it.
    pub(super) fn inv_26_overridden(
        &mut self,
        task: TaskId,
        end: ManualEnd,
        by_default: bool,
    ) -> Check {
        let is_ending = self.ending.is_some() && !self.facts.rules(task).finally;
        let log = &mut self.task_logs[task.index()];
        let is_canceled = matches!(log.stopping(), Some(CutWhy::Cancel(_)));
        let is_defined = end == ManualEnd::Complete(Output::Definition);
        let refused = by_default || is_ending || is_canceled || is_defined || log.is_ended();
        let before = log.manual_end.replace(end);
        hold!(
            !refused && before.is_none() && log.state != LogState::Between,
            26,
            "given_ends_count",
            "{task} is given {end:?} in {:?}, after {before:?}",
            log.state
        );
        if let LogState::Asking(_) = log.state {
            self.open.retain(|_, &mut asked| asked != task);
        }
        if !matches!(log.state, LogState::Running(..)) {
            log.state = LogState::Between;
        }
        self.required = Some(Required::Override(task, end));
        Ok(())
    }

    /// What follows when a person has given the task its end: the end, or first the stop of the attempt.
    pub(super) fn after_override(&self, task: TaskId, end: ManualEnd, record: &Record) -> bool {
        if let LogState::Running(running, _) = self.task_logs[task.index()].state {
            let (attempt, why) = (running, CutWhy::Override);
            return *record == Record::CancelRequested { task, attempt, why };
        }
        is_given_end(task, end, record)
    }
}

/// Whether the record is the end that a person gave the task.
pub(super) fn is_given_end(task: TaskId, end: ManualEnd, record: &Record) -> bool {
    let given = match end {
        ManualEnd::Complete(output) => Record::Completed {
            task,
            output,
            log: None,
        },
        ManualEnd::Skip => Record::Skipped {
            task,
            why: SkipWhy::Override,
        },
        ManualEnd::Withdraw => Record::Skipped {
            task,
            why: SkipWhy::Withdrawn,
        },
    };
    *record == given
}
