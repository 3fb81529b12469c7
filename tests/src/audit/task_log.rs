//! Task log: the state of one task according to its records, and the record that must come next.

use zeph_graph::{
    Answer, AskWhy, Attempt, ContentId, CutHow, CutWhy, Fault, ManualEnd, TaskId, Timestamp,
};

/// The state of one task according to the records.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskLog {
    pub(super) state: LogState,
    pub(super) attempts: u32,
    pub(super) failures: u32,
    pub(super) manual_retries: u32,
    // Attempts that cost no retry.
    pub(super) free: u32,
    pub(super) manual_end: Option<ManualEnd>,
    // Its preparation has said that it does not run.
    pub(super) is_unprepared: bool,
    // Failed, and not canceled.
    pub(super) is_failure: bool,
}

/// The state of a task after its last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LogState {
    #[default]
    Waiting,
    /// Ready since the record with this number.
    Ready(u64),
    Running(Attempt, Option<CutWhy>),
    /// An attempt or a question has ended; the record that follows it is not yet read.
    Between,
    /// The driver says whether it runs.
    Preparing,
    BackingOff(Timestamp),
    Asking(AskWhy),
    Mapping,
    /// This task runs in its place.
    FallingBack(TaskId),
    Ended(LogEnd),
}

/// How a task ended, as triggers distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogEnd {
    Completed,
    Skipped,
    /// Or canceled.
    Failed,
}

impl TaskLog {
    pub(super) const fn is_ended(&self) -> bool {
        matches!(self.state, LogState::Ended(_))
    }

    pub(super) fn is_completed(&self) -> bool {
        self.ended_as(LogEnd::Completed)
    }

    pub(super) fn ended_as(&self, end: LogEnd) -> bool {
        self.state == LogState::Ended(end)
    }

    pub(super) const fn stopping(&self) -> Option<CutWhy> {
        match self.state {
            LogState::Running(_, why) => why,
            LogState::Waiting
            | LogState::Preparing
            | LogState::Ready(_)
            | LogState::Between
            | LogState::BackingOff(_)
            | LogState::Asking(_)
            | LogState::Mapping
            | LogState::FallingBack(_)
            | LogState::Ended(_) => None,
        }
    }
}

/// A record that must come next, in the same append.
#[derive(Clone, Copy, Debug)]
pub(super) enum Required {
    /// After a failed attempt.
    Failure(TaskId, Fault),
    /// After a cut one.
    Cut(TaskId, Option<CutWhy>, CutHow),
    /// After an answer.
    Answer(TaskId, AskWhy, Answer),
    /// After an end that a person gave: that end, or the stop of the attempt.
    Override(TaskId, ManualEnd),
    /// After a failure that aborts.
    Ending(TaskId),
    /// After a patch, the ends of the tasks that it removes: of so many of them.
    Removal(ContentId, usize),
}
