//! Records: the decisions that a run's journal holds. A closed enum, like the states.

mod views;

pub use views::{AttemptEnd, AttemptOutcome, RunChange, TaskEnd, TaskOutcome};

use serde::{Deserialize, Serialize};

use crate::wire::{is_default, no_fields};
use crate::{
    AnsweredBy, AskWhy, Attempt, Budget, CancelWhy, ContentId, CutHow, CutWhy, FailureAnswer,
    Fault, Output, QuestionId, ReservationId, RunEnd, Seq, SkipWhy, Spend, SuppliedWhy, TaskId,
    Timestamp,
};

/// One decision of the scheduler. Small and `Copy`; it refers to texts and outputs by content id.
///
/// The state of a run is a fold of its records: a newer version applies an old journal without making any
/// decision again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// The run began.
    #[serde(deserialize_with = "no_fields")]
    Opened,
    /// The trigger of the task has fired, and the driver says whether the task runs.
    Preparing {
        /// The task.
        task: TaskId,
    },
    /// The task does not run according to its preparation, or could not be prepared. The next record of the task
    /// is the consequence.
    PrepareFailed {
        /// The task.
        task: TaskId,
        /// `Skipped` if its condition does not hold, else `Prepare`.
        fault: Fault,
        /// The reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ContentId>,
    },
    /// The task may start.
    Readied {
        /// The task.
        task: TaskId,
    },
    /// An attempt starts. Saved before its executor is called.
    Started {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
    },
    /// The task has its result.
    Completed {
        /// The task.
        task: TaskId,
        /// Where the result is stored.
        #[serde(default, skip_serializing_if = "is_default")]
        output: Output,
        /// The log of the attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<ContentId>,
    },
    /// The task has a result that an earlier run made, and does not run. Follows `Opened` or, if the task was
    /// prepared, `Preparing`.
    Supplied {
        /// The task.
        task: TaskId,
        /// Where the result is stored, in this run.
        #[serde(default, skip_serializing_if = "is_default")]
        output: Output,
        /// Why the earlier result counts.
        #[serde(default, skip_serializing_if = "is_default")]
        why: SuppliedWhy,
        /// The run that made the result, if it is not the one that this run retries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<ContentId>,
    },
    /// An attempt failed. The next record of the task is the consequence, such as a back-off.
    AttemptFailed {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// How it failed.
        fault: Fault,
        /// The error of the executor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ContentId>,
        /// The log of the attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<ContentId>,
    },
    /// An attempt was stopped, abandoned or lost. The next record of the task is the consequence.
    AttemptCut {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// How it ended.
        how: CutHow,
        /// The log of the attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<ContentId>,
    },
    /// The task waits before its next attempt.
    BackedOff {
        /// The task.
        task: TaskId,
        /// When the task becomes ready again.
        until: Timestamp,
    },
    /// The task failed, and another task runs in its place.
    FellBack {
        /// The task.
        task: TaskId,
        /// Its fallback.
        to: TaskId,
        /// How the task failed.
        why: Fault,
    },
    /// A person is asked.
    Asked {
        /// The task.
        task: TaskId,
        /// The question.
        question: QuestionId,
        /// The subject of the question.
        why: AskWhy,
    },
    /// The question is answered and closed. The next record of the task is the consequence.
    Answered {
        /// The task.
        task: TaskId,
        /// The question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
        /// Who answered, or that the default was used.
        #[serde(default, skip_serializing_if = "AnsweredBy::is_unknown")]
        by: AnsweredBy,
    },
    /// A person gives the task its end. If an attempt is in flight, it is stopped first; otherwise the next
    /// record of the task is that end.
    Overridden {
        /// The task.
        task: TaskId,
        /// The end.
        end: ManualEnd,
        /// Who gave it.
        #[serde(default, skip_serializing_if = "AnsweredBy::is_unknown")]
        by: AnsweredBy,
    },
    /// The running attempt is asked to stop.
    CancelRequested {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// The reason.
        why: CutWhy,
    },
    /// The task failed for good.
    Failed {
        /// The task.
        task: TaskId,
        /// How its last attempt failed.
        why: Fault,
    },
    /// The task does not run, in accordance with the graph or an answer.
    Skipped {
        /// The task.
        task: TaskId,
        /// The reason.
        why: SkipWhy,
    },
    /// The task was stopped, or is not allowed to start.
    Canceled {
        /// The task.
        task: TaskId,
        /// The reason.
        why: CancelWhy,
    },
    /// From here on no attempt starts, and running attempts are stopped.
    Ending {
        /// The reason.
        why: EndingWhy,
    },
    /// Nothing new starts until `Unpaused`.
    #[serde(deserialize_with = "no_fields")]
    Paused,
    /// The pause has ended.
    #[serde(deserialize_with = "no_fields")]
    Unpaused,
    /// Nothing new starts; running attempts have the grace period to end.
    #[serde(deserialize_with = "no_fields")]
    Suspending,
    /// The run is suspended: no attempt is in flight.
    #[serde(deserialize_with = "no_fields")]
    Suspended,
    /// The run continues after a suspension or a crash.
    #[serde(deserialize_with = "no_fields")]
    Resumed,
    /// The task's attempt may spend up to this much.
    Reserved {
        /// The task.
        task: TaskId,
        /// The reservation, one of its current attempt.
        reservation: ReservationId,
        /// The most that it may spend.
        most: Spend,
    },
    /// The task's attempt has spent this much; the reservation is closed.
    ///
    /// A reservation that is still open when its attempt ends counts as spent in full.
    Settled {
        /// The task.
        task: TaskId,
        /// The reservation.
        reservation: ReservationId,
        /// The actual cost; it may exceed the reservation.
        spent: Spend,
    },
    /// The running attempt wrote a note.
    Noted {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// The note.
        content: ContentId,
    },
    /// The tasks of a patch were added to the graph.
    Amended {
        /// The task that proposed it; none if a person did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskId>,
        /// The patch.
        content: ContentId,
        /// The person.
        #[serde(default, skip_serializing_if = "AnsweredBy::is_unknown")]
        by: AnsweredBy,
    },
    /// The task has its items: the graph has as many new tasks. The end of each counts for it.
    Expanded {
        /// The task.
        task: TaskId,
        /// The attempt that made the list; absent if an earlier run did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<Attempt>,
        /// The list.
        list: ContentId,
        /// The number of items.
        count: u32,
    },
    /// The run has this budget from here on.
    Budgeted {
        /// The limit of the whole run, including its spending so far.
        budget: Budget,
    },
    /// Every task has ended, and so has the run.
    Ended {
        /// The result.
        end: RunEnd,
    },
}

// A run of a million tasks folds millions of these.
const _: () = assert!(size_of::<Record>() <= 24);

/// The reason why a run ends before its tasks are complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingWhy {
    /// This task failed, and its strategy or a person's answer is to abort.
    Abort(TaskId),
    /// The run was canceled.
    Cancel,
    /// The run exceeded its time-out.
    Timeout,
}

impl EndingWhy {
    /// The reason of the tasks that are canceled by it.
    #[must_use]
    pub const fn cancel_why(self) -> CancelWhy {
        match self {
            Self::Abort(_) => CancelWhy::Abort,
            Self::Cancel => CancelWhy::Run,
            Self::Timeout => CancelWhy::RunTimeout,
        }
    }
}

/// An answer to a question, as it is journaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes: the task may start.
    Yes,
    /// No: the task is skipped.
    No,
    /// How to handle a failure.
    Failure(FailureAnswer),
    /// A value: the result of the task.
    Value(Output),
}

/// The end that a person, or the task that added it, gives a task in place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManualEnd {
    /// It completes with this result.
    Complete(Output),
    /// It is skipped.
    Skip,
    /// It is skipped, because the task that added it has withdrawn it.
    Withdraw,
}

impl ManualEnd {
    /// Why the task is skipped, if it is.
    #[must_use]
    pub const fn skip_why(self) -> Option<SkipWhy> {
        match self {
            Self::Complete(_) => None,
            Self::Skip => Some(SkipWhy::Override),
            Self::Withdraw => Some(SkipWhy::Withdrawn),
        }
    }

    /// The end of what works for a task with this end: its items, and what runs in its place.
    #[must_use]
    pub const fn of_parts(self) -> Self {
        match self {
            Self::Complete(_) | Self::Skip => Self::Skip,
            Self::Withdraw => Self::Withdraw,
        }
    }
}

/// A record with its position and time in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The position in the journal.
    pub seq: Seq,
    /// The time of the decision. Never used for order.
    pub at: Timestamp,
    /// The decision.
    pub record: Record,
}

impl Record {
    /// The task of the record, if it concerns one.
    #[must_use]
    pub const fn task(&self) -> Option<TaskId> {
        match *self {
            Self::Preparing { task }
            | Self::PrepareFailed { task, .. }
            | Self::Readied { task }
            | Self::Started { task, .. }
            | Self::Completed { task, .. }
            | Self::Supplied { task, .. }
            | Self::AttemptFailed { task, .. }
            | Self::AttemptCut { task, .. }
            | Self::BackedOff { task, .. }
            | Self::FellBack { task, .. }
            | Self::Asked { task, .. }
            | Self::Answered { task, .. }
            | Self::Overridden { task, .. }
            | Self::CancelRequested { task, .. }
            | Self::Failed { task, .. }
            | Self::Skipped { task, .. }
            | Self::Canceled { task, .. }
            | Self::Reserved { task, .. }
            | Self::Settled { task, .. }
            | Self::Noted { task, .. }
            | Self::Expanded { task, .. } => Some(task),
            Self::Amended { task, .. } => task,
            Self::Opened
            | Self::Ending { .. }
            | Self::Paused
            | Self::Unpaused
            | Self::Suspending
            | Self::Suspended
            | Self::Resumed
            | Self::Budgeted { .. }
            | Self::Ended { .. } => None,
        }
    }

    /// The contents that it refers to: first output, error, note, patch or list, then the log, who decided, or the run
    /// that made a result.
    pub fn contents(&self) -> impl Iterator<Item = ContentId> {
        let main =
            if let Self::AttemptFailed { error, .. } | Self::PrepareFailed { error, .. } = *self {
                error
            } else if let Self::Noted { content, .. }
            | Self::Amended { content, .. }
            | Self::Expanded { list: content, .. } = *self
            {
                Some(content)
            } else if let Self::Completed { output, .. }
            | Self::Supplied { output, .. }
            | Self::Answered {
                answer: Answer::Value(output),
                ..
            }
            | Self::Overridden {
                end: ManualEnd::Complete(output),
                ..
            } = *self
            {
                output.content()
            } else {
                None
            };
        let second = if let Self::Answered { by, .. }
        | Self::Overridden { by, .. }
        | Self::Amended { by, .. } = *self
        {
            by.content()
        } else if let Self::Supplied { from, .. } = *self {
            from
        } else {
            self.attempt_end().and_then(|end| end.log)
        };
        main.into_iter().chain(second)
    }
}
