//! Views of a record: the end of an attempt, the end of a task, a change of the run.
//!
//! Code that decides (the transition table, the fold) matches [`Record`] exhaustively. Readers use one of
//! these three views instead. A test has the kinds of records of each view.

use crate::{Budget, CancelWhy, ContentId, CutHow, EndingWhy, Fault, Output, RunEnd, SkipWhy};
use crate::{Record, TaskId};

/// The end of an attempt, according to one record.
///
/// A task also completes without an attempt: a milestone, an answered question, a substitute value. The
/// record is the same, so a reader that tracks attempts ignores an end if no attempt is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// The task.
    pub task: TaskId,
    /// How the attempt ended.
    pub outcome: AttemptOutcome,
    /// The content that holds the log of the attempt.
    pub log: Option<ContentId>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It returned the result of the task, or the list of its items.
    Completed(Output),
    /// It failed.
    Failed {
        /// The fault.
        fault: Fault,
        /// The content that holds the error of its executor.
        error: Option<ContentId>,
    },
    /// It was stopped, abandoned or lost.
    Cut(CutHow),
}

/// The end of a task, according to one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskEnd {
    /// The task.
    pub task: TaskId,
    /// How it ended.
    pub outcome: TaskOutcome,
}

/// How a task ended: the four final states with their data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskOutcome {
    /// It has its result.
    Completed(Output),
    /// Its last attempt failed and nothing follows.
    Failed(Fault),
    /// It does not run, in accordance with the graph or an answer.
    Skipped(SkipWhy),
    /// It was stopped or never allowed to start.
    Canceled(CancelWhy),
}

/// A change of the run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunChange {
    /// The run began.
    Opened,
    /// Nothing starts any more, and running attempts are stopped.
    Ending(EndingWhy),
    /// Nothing new starts until `Unpaused`.
    Paused,
    /// The pause has ended.
    Unpaused,
    /// Nothing new starts; running attempts have the grace period to end.
    Suspending,
    /// The run is suspended: no attempt is in flight.
    Suspended,
    /// The run continues after a suspension or a crash.
    Resumed,
    /// The run has this budget from here on.
    Budgeted(Budget),
    /// A person changed the graph: tasks were added, replaced or removed.
    Amended,
    /// Every task has ended, and so has the run.
    Ended(RunEnd),
}

impl Record {
    /// The end of an attempt, if the record is one.
    ///
    /// ```
    /// use zeph_graph::{AttemptOutcome, Output, Record, TaskId};
    /// let record = Record::Completed { task: TaskId::from_index(0), output: Output::None, log: None };
    /// let end = record.attempt_end().expect("a completion ends an attempt");
    /// assert_eq!(end.outcome, AttemptOutcome::Completed(Output::None));
    /// ```
    #[must_use]
    pub const fn attempt_end(&self) -> Option<AttemptEnd> {
        let (task, outcome, log) = if let Self::Completed { task, output, log } = *self {
            (task, AttemptOutcome::Completed(output), log)
        } else if let Self::AttemptFailed {
            task,
            fault,
            error,
            log,
            ..
        } = *self
        {
            (task, AttemptOutcome::Failed { fault, error }, log)
        } else if let Self::Expanded {
            task,
            attempt: Some(_),
            list,
            ..
        } = *self
        {
            (task, AttemptOutcome::Completed(Output::Content(list)), None)
        } else if let Self::AttemptCut { task, how, log, .. } = *self {
            (task, AttemptOutcome::Cut(how), log)
        } else {
            return None;
        };
        Some(AttemptEnd { task, outcome, log })
    }

    /// The failure of an attempt or of a preparation, if the record is one: the fault, and the content that
    /// holds the error or the reason.
    ///
    /// ```
    /// use zeph_graph::{Fault, Record, TaskId};
    /// let task = TaskId::from_index(0);
    /// let record = Record::PrepareFailed { task, fault: Fault::Prepare, error: None };
    /// assert_eq!(record.failure(), Some((Fault::Prepare, None)));
    /// ```
    #[must_use]
    pub const fn failure(&self) -> Option<(Fault, Option<ContentId>)> {
        if let Self::AttemptFailed { fault, error, .. } | Self::PrepareFailed { fault, error, .. } =
            *self
        {
            Some((fault, error))
        } else {
            None
        }
    }

    /// The end of a task, if the record is one. Each task of a run has exactly one, and none after it.
    ///
    /// ```
    /// use zeph_graph::{Fault, Record, TaskId};
    /// let task = TaskId::from_index(0);
    /// let record = Record::Failed { task, why: Fault::Permanent };
    /// assert_eq!(record.task_end().map(|end| end.task), Some(task));
    /// assert_eq!(Record::Paused.task_end(), None);
    /// ```
    #[must_use]
    pub const fn task_end(&self) -> Option<TaskEnd> {
        let (task, outcome) = if let Self::Completed { task, output, .. }
        | Self::Supplied { task, output, .. } = *self
        {
            (task, TaskOutcome::Completed(output))
        } else if let Self::Failed { task, why } = *self {
            (task, TaskOutcome::Failed(why))
        } else if let Self::Skipped { task, why } = *self {
            (task, TaskOutcome::Skipped(why))
        } else if let Self::Canceled { task, why } = *self {
            (task, TaskOutcome::Canceled(why))
        } else {
            return None;
        };
        Some(TaskEnd { task, outcome })
    }

    /// The change of the run, if the record is one; exactly the records without a [`task`](Self::task).
    ///
    /// ```
    /// use zeph_graph::{Record, RunChange};
    /// assert_eq!(Record::Paused.run_change(), Some(RunChange::Paused));
    /// ```
    #[must_use]
    pub const fn run_change(&self) -> Option<RunChange> {
        Some(match *self {
            Self::Opened => RunChange::Opened,
            Self::Ending { why } => RunChange::Ending(why),
            Self::Paused => RunChange::Paused,
            Self::Unpaused => RunChange::Unpaused,
            Self::Suspending => RunChange::Suspending,
            Self::Suspended => RunChange::Suspended,
            Self::Resumed => RunChange::Resumed,
            Self::Budgeted { budget } => RunChange::Budgeted(budget),
            Self::Amended { task: None, .. } => RunChange::Amended,
            Self::Ended { end } => RunChange::Ended(end),
            Self::Preparing { .. }
            | Self::PrepareFailed { .. }
            | Self::Readied { .. }
            | Self::Started { .. }
            | Self::Completed { .. }
            | Self::Supplied { .. }
            | Self::AttemptFailed { .. }
            | Self::AttemptCut { .. }
            | Self::BackedOff { .. }
            | Self::FellBack { .. }
            | Self::Asked { .. }
            | Self::Answered { .. }
            | Self::Overridden { .. }
            | Self::CancelRequested { .. }
            | Self::Failed { .. }
            | Self::Skipped { .. }
            | Self::Canceled { .. }
            | Self::Reserved { .. }
            | Self::Settled { .. }
            | Self::Noted { .. }
            | Self::Expanded { .. }
            | Self::Amended { task: Some(_), .. } => return None,
        })
    }
}
