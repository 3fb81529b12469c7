//! Records: the decisions that a run's journal holds. A closed enum, like the states.

mod views;

pub use views::{AttemptEnd, AttemptOutcome, RunChange, TaskEnd, TaskOutcome};

use crate::{
    AskWhy, Attempt, Budget, CancelWhy, ContentId, CutHow, CutWhy, FailureAnswer, Fault, Output,
    QuestionId, ReservationId, RunEnd, Seq, SkipWhy, Spend, TaskId, Timestamp,
};

/// One decision. Small and `Copy`; texts and outputs are contents that it refers to by id.
///
/// A journal is a fold of these: a newer version applies an old journal without deciding anything
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The run began.
    Opened,
    /// The task may start.
    Readied {
        /// Which task.
        task: TaskId,
    },
    /// An attempt starts. Saved before its executor is called.
    Started {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
    },
    /// The task has its result.
    Completed {
        /// Which task.
        task: TaskId,
        /// Where the result is.
        output: Output,
        /// What the attempt logged.
        log: Option<ContentId>,
    },
    /// An attempt failed. The record after it says what follows.
    AttemptFailed {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// How it failed.
        fault: Fault,
        /// What the executor said.
        error: Option<ContentId>,
        /// What the attempt logged.
        log: Option<ContentId>,
    },
    /// An attempt was stopped, given up or lost. The record after it says what follows.
    AttemptCut {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// How it ended.
        how: CutHow,
        /// What the attempt logged.
        log: Option<ContentId>,
    },
    /// The next attempt waits.
    BackedOff {
        /// Which task.
        task: TaskId,
        /// When it becomes ready again.
        until: Timestamp,
    },
    /// A person is asked.
    Asked {
        /// Which task.
        task: TaskId,
        /// The question.
        question: QuestionId,
        /// What it is about.
        why: AskWhy,
    },
    /// The question is answered and closed. The record after it says what follows.
    Answered {
        /// Which task.
        task: TaskId,
        /// The question.
        question: QuestionId,
        /// What was answered.
        answer: Answer,
        /// Whether nobody answered in time and the default was taken.
        by_default: bool,
    },
    /// The running attempt is to be stopped.
    CancelRequested {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// Why.
        why: CutWhy,
    },
    /// The task failed for good.
    Failed {
        /// Which task.
        task: TaskId,
        /// How its last attempt failed.
        why: Fault,
    },
    /// The task will not run, and that is in order.
    Skipped {
        /// Which task.
        task: TaskId,
        /// Why.
        why: SkipWhy,
    },
    /// The task was stopped, or will not be allowed to start.
    Canceled {
        /// Which task.
        task: TaskId,
        /// By what.
        why: CancelWhy,
    },
    /// From here on nothing starts; what runs is stopped.
    Ending {
        /// By what.
        why: EndingWhy,
    },
    /// Nothing new starts until `Unpaused`.
    Paused,
    /// The pause is over.
    Unpaused,
    /// Nothing new starts; running work is given its grace.
    Suspending,
    /// The run is at rest.
    Suspended,
    /// The run goes on, after a suspension or a crash.
    Resumed,
    /// The task's attempt is going to spend something, and may.
    Reserved {
        /// Which task.
        task: TaskId,
        /// The reservation, one of its current attempt.
        reservation: ReservationId,
        /// What it may spend at most.
        most: Spend,
    },
    /// The task's attempt has spent something; its reservation is over.
    ///
    /// A reservation without this record when its attempt ends is spent in full.
    Settled {
        /// Which task.
        task: TaskId,
        /// The reservation.
        reservation: ReservationId,
        /// What was spent; more than was reserved is taken as it is.
        spent: Spend,
    },
    /// Something is to be kept about the running attempt.
    Noted {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// The note.
        content: ContentId,
    },
    /// The graph has grown by the tasks of a patch.
    Amended {
        /// Which task proposed it.
        task: TaskId,
        /// The patch.
        content: ContentId,
    },
    /// The run's budget is another one from here on.
    Budgeted {
        /// All that the run may cost, what it has spent so far included.
        budget: Budget,
    },
    /// Every task has ended, and so has the run.
    Ended {
        /// How.
        end: RunEnd,
    },
}

// A run of a million tasks folds millions of these.
const _: () = assert!(size_of::<Record>() <= 24);

/// What brings a run to its end before its tasks are through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndingWhy {
    /// This task failed, and its strategy, or a person's answer, is to abort.
    Abort(TaskId),
    /// Somebody cancelled the run.
    Cancel,
    /// The run took too long.
    Timeout,
}

impl EndingWhy {
    /// The reason that the tasks canceled by it carry.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes: the task may start.
    Yes,
    /// No: the task is skipped.
    No,
    /// What to do about a failure.
    Failure(FailureAnswer),
    /// A value: the result of the task.
    Value(Output),
}

/// A record in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where in the journal.
    pub seq: Seq,
    /// When it was decided. Never used for order.
    pub at: Timestamp,
    /// What was decided.
    pub record: Record,
}

impl Record {
    /// The task that it is about, if it is about one.
    #[must_use]
    pub const fn task(&self) -> Option<TaskId> {
        match *self {
            Self::Readied { task }
            | Self::Started { task, .. }
            | Self::Completed { task, .. }
            | Self::AttemptFailed { task, .. }
            | Self::AttemptCut { task, .. }
            | Self::BackedOff { task, .. }
            | Self::Asked { task, .. }
            | Self::Answered { task, .. }
            | Self::CancelRequested { task, .. }
            | Self::Failed { task, .. }
            | Self::Skipped { task, .. }
            | Self::Canceled { task, .. }
            | Self::Reserved { task, .. }
            | Self::Settled { task, .. }
            | Self::Noted { task, .. }
            | Self::Amended { task, .. } => Some(task),
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

    /// The contents that it refers to: output, error, note or patch first, then the log.
    pub fn contents(&self) -> impl Iterator<Item = ContentId> {
        let main = if let Self::AttemptFailed { error, .. } = *self {
            error
        } else if let Self::Noted { content, .. } | Self::Amended { content, .. } = *self {
            Some(content)
        } else if let Self::Completed { output, .. }
        | Self::Answered {
            answer: Answer::Value(output),
            ..
        } = *self
        {
            output.content()
        } else {
            None
        };
        let log = self.attempt_end().and_then(|end| end.log);
        main.into_iter().chain(log)
    }
}
