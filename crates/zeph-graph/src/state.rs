//! States of tasks and runs, and the reasons that each end carries.
//!
//! These enums are closed on purpose: whoever handles a state says what happens in each of them, and a
//! new one is a change that the compiler shows to everybody.

use crate::words::words;
use crate::{Attempt, ContentId, QuestionId, TaskId, Timestamp};

/// Where a task stands. Each state means one thing; the last four are ends and never change.
///
/// | From | To | When |
/// |---|---|---|
/// | Pending | Ready | the trigger fires and an action is to run |
/// | Pending | Asking | the trigger fires and a person is asked: an approval, or the question that is the task |
/// | Pending | Completed | the trigger fires for a milestone |
/// | Pending | Skipped | the trigger can no longer fire |
/// | Ready | Running | a slot in every lane is free; an attempt starts |
/// | Running | Completed | the attempt returned its result; also from Canceling, before a suspension |
/// | Running, Canceling | BackingOff | the attempt failed or took too long, and is to be repeated |
/// | Running, Canceling | Asking | it is not to be repeated, and a person decides |
/// | Running, Canceling | Failed | it is not to be repeated, and the task stays failed |
/// | Running, Canceling | Completed | it is not to be repeated, and a value stands in for the result |
/// | Running | Canceling | the attempt is told to stop: a cancel, a time-out, a suspension |
/// | Canceling | Canceled | the attempt ended, or was given up, after a cancel |
/// | Running, Canceling | Ready | the attempt was cut by a suspension or a crash, and may run again |
/// | BackingOff | Ready | the wait is over |
/// | Asking | Ready, Asking, Completed | yes to an approval: as from Pending |
/// | Asking | Ready | "retry" to a failure |
/// | Asking | Completed | an answer that is the result |
/// | Asking | Skipped | no to an approval |
/// | Asking | Failed | "skip" or "abort" to a failure |
/// | not an end | Canceled | the task or the run is cancelled, the run is aborted or timed out; a Running one by way of Canceling |
///
/// Every task begins as Pending, with its run or with the patch that adds it; parents that have ended by
/// then count at once. An attempt that a budget stops has failed; whether the task then is Asking or
/// Failed is for the policy to say and not for its `on_failure`. What an attempt reserves, settles and
/// notes moves no task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Waits for its parents.
    Pending,
    /// May start; waits for a slot.
    Ready,
    /// An attempt runs.
    Running {
        /// Which one.
        attempt: Attempt,
        /// When its start was recorded.
        since: Timestamp,
    },
    /// An attempt failed; the next one starts at `until`.
    BackingOff {
        /// The attempt that failed.
        attempt: Attempt,
        /// When the task becomes ready again.
        until: Timestamp,
    },
    /// A person is asked. Holds no slot.
    Asking {
        /// The open question.
        question: QuestionId,
    },
    /// An attempt is being stopped; it keeps its slot until it has ended or is given up.
    Canceling {
        /// Which one.
        attempt: Attempt,
        /// Why it is stopped.
        why: CutWhy,
    },
    /// It has its result.
    Completed {
        /// Where the result is.
        output: Output,
    },
    /// It failed for good.
    Failed {
        /// How.
        why: Fault,
    },
    /// It did not run, and that is in order.
    Skipped {
        /// Why.
        why: SkipWhy,
    },
    /// It was stopped, or never allowed to start.
    Canceled {
        /// By what.
        why: CancelWhy,
    },
}

impl TaskState {
    /// Whether this state is an end.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(
            self,
            Self::Completed { .. }
                | Self::Failed { .. }
                | Self::Skipped { .. }
                | Self::Canceled { .. }
        )
    }

    /// Whether the task has its result.
    #[must_use]
    pub const fn is_completed(self) -> bool {
        matches!(self, Self::Completed { .. })
    }

    /// The state's name in JSON, in the database and at the terminal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running { .. } => "running",
            Self::BackingOff { .. } => "backing_off",
            Self::Asking { .. } => "asking",
            Self::Canceling { .. } => "canceling",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
            Self::Canceled { .. } => "canceled",
        }
    }
}

/// Where the result of a completed task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// There is none: a milestone, or an executor that returned nothing.
    None,
    /// In this content of the run.
    Content(ContentId),
    /// In the task's definition: the substitute of `on_failure`, or the default answer.
    Definition,
}

impl Output {
    /// The content that holds the result, if one does.
    #[must_use]
    pub const fn content(self) -> Option<ContentId> {
        match self {
            Self::Content(id) => Some(id),
            Self::None | Self::Definition => None,
        }
    }
}

words! {
    /// How an attempt, and at last a task, failed.
    Fault {
        /// The executor returned an error that a retry may mend.
        Error = "error" => "error",
        /// The executor returned an error that no retry mends.
        Permanent = "permanent" => "permanent error",
        /// The executor refused the work.
        Refused = "refused" => "refused",
        /// The executor panicked. Retryable.
        Panicked = "panicked" => "panicked",
        /// The attempt took too long. Retryable.
        AttemptTimeout = "attempt_timeout" => "attempt timed out",
        /// All attempts together took too long.
        TaskTimeout = "task_timeout" => "task timed out",
        /// The attempt's end is unknown and must not be repeated without a person's word.
        Interrupted = "interrupted" => "interrupted",
        /// A budget does not cover the next call. No retry mends that, and the run's policy decides in
        /// place of the task's `on_failure`.
        Budget = "budget" => "over budget",
    }
}

impl Fault {
    /// Whether the retry policy applies.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Error | Self::Panicked | Self::AttemptTimeout => true,
            Self::Permanent
            | Self::Refused
            | Self::TaskTimeout
            | Self::Interrupted
            | Self::Budget => false,
        }
    }
}

words! {
    /// Why a task was canceled.
    CancelWhy {
        /// Somebody cancelled this task.
        Task = "task" => "cancel requested",
        /// Somebody cancelled a task that this one depends on, and what follows it.
        Downstream = "downstream" => "cancelled with a task it depends on",
        /// Somebody cancelled the run.
        Run = "run" => "the run was cancelled",
        /// Another task failed and its strategy is to abort.
        Abort = "abort" => "the run was aborted",
        /// The run took too long.
        RunTimeout = "run_timeout" => "the run timed out",
    }
}

words! {
    /// How a cut attempt ended.
    CutHow {
        /// Its executor ended after it was told to.
        Stopped = "stopped" => "stopped",
        /// Its executor did not end within the grace; it may still be at work.
        Abandoned = "abandoned" => "abandoned",
        /// The process that ran it went away.
        Lost = "lost" => "interrupted by a crash",
    }
}

/// Why an attempt is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutWhy {
    /// The task is cancelled.
    Cancel(CancelWhy),
    /// The attempt took too long.
    AttemptTimeout,
    /// All attempts together took too long.
    TaskTimeout,
    /// The run is suspended; the attempt costs no retry.
    Suspend,
}

impl std::fmt::Display for CutWhy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cancel(why) => why.fmt(f),
            Self::AttemptTimeout => Fault::AttemptTimeout.fmt(f),
            Self::TaskTimeout => Fault::TaskTimeout.fmt(f),
            Self::Suspend => f.write_str("the run is being suspended"),
        }
    }
}

/// Why a task was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipWhy {
    /// Its trigger can no longer fire, because this parent did not complete.
    Upstream(TaskId),
    /// A person, or the default in their place, said no.
    Declined,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AskWhy {
    /// The question is the task.
    Work,
    /// May the task start?
    Approve,
    /// The task failed that way; what now?
    Failure(Fault),
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Work is going on, or about to.
    Running,
    /// Nothing new starts until somebody resumes it; running work goes on.
    Paused,
    /// Only questions are left to wait for.
    Waiting,
    /// Nothing new starts, running work is given its grace.
    Suspending,
    /// At rest, to be resumed later, by any process.
    Suspended,
    /// Over.
    Ended(RunEnd),
}

impl RunState {
    /// The state's name in JSON, in the database and at the terminal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Ended(end) => end.word(),
        }
    }
}

words! {
    /// How a run ended.
    RunEnd {
        /// Every task completed, or was skipped because a person declined it.
        Completed = "completed" => "completed",
        /// Something failed or was cancelled, and the rest went on.
        Degraded = "degraded" => "degraded",
        /// A failure aborted it.
        Failed = "failed" => "failed",
        /// Somebody cancelled it.
        Canceled = "canceled" => "canceled",
        /// It took too long.
        TimedOut = "timed_out" => "timed out",
    }
}
