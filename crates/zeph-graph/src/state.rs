//! States of tasks and runs, and the reasons of each final state.
//!
//! These enums are closed: code that handles a state matches all of them, and the compiler reports each
//! place that a new state affects.

use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{Attempt, ContentId, QuestionId, Rules, TaskId, Timestamp};

/// The state of a task. Each state has one meaning; the last four are final.
///
/// | From | To | When |
/// |---|---|---|
/// | Pending | Ready | the trigger fires and an action is to run |
/// | Pending | Asking | the trigger fires and a person is asked: the task needs approval, or is a question itself |
/// | Pending | Completed | the trigger fires for a milestone |
/// | Pending | Skipped | the trigger can no longer fire |
/// | Ready | Running | a slot in every lane is free; an attempt starts |
/// | Running | Completed | the attempt returned its result; also from Canceling, if the reason is a suspension |
/// | Running, Canceling | BackingOff | the attempt failed or took too long, and is to be repeated |
/// | Running | Mapping | the attempt returned the list of items; it runs once for each of them |
/// | Mapping | Ready | all items have ended; one more attempt collects their results |
/// | Mapping | Failed, Completed | an item failed, and `foreach` says that the task fails; as when an attempt fails and is not repeated |
/// | Pending | Mapping | an earlier run had expanded it |
/// | Running | Skipped | the executor reports that there is nothing to do |
/// | Running, Canceling | Asking | the attempt failed, is not to be repeated, and a person decides |
/// | Running, Canceling | Failed | the attempt failed, is not to be repeated, and the task stays failed |
/// | Running, Canceling | Completed | the attempt failed, is not to be repeated, and a substitute value is the result |
/// | Running | Canceling | the attempt is asked to stop: a cancel, a time-out, a suspension |
/// | Canceling | Canceled | the attempt ended, or was abandoned, after a cancel |
/// | Running, Canceling | Ready | the attempt was cut by a suspension or a crash, and may run again |
/// | BackingOff | Ready | the wait has ended |
/// | Ready, BackingOff | Asking, Failed, Completed | all attempts together took too long; as when an attempt fails and is not repeated |
/// | Asking | Ready, Asking, Completed | yes to an approval: as from Pending |
/// | Asking | Ready | "retry" to a failure |
/// | Asking | Completed | an answer that is the result |
/// | Asking | Skipped | no to an approval |
/// | Asking | Failed | "skip" or "abort" to a failure |
/// | Running, Canceling | FallingBack | the attempt failed, is not to be repeated, and another task runs in its place |
/// | Ready, BackingOff, Mapping | FallingBack | all attempts together took too long, or an item failed; as above |
/// | FallingBack | Completed | its fallback completed, and its result is the result of both |
/// | FallingBack | Failed | its fallback ended otherwise |
/// | any that is not final | Completed, Skipped | a person gives the task its end, or the task that added it withdraws it; a Running task is Canceling first |
/// | any that is not final | Canceled | the task or the run is canceled, the run is aborted or timed out; a Running task is Canceling first |
///
/// Every task begins as Pending, when its run starts or when a patch adds it; parents that have ended
/// before count at once. An attempt that a budget stops has failed; the run's policy then decides whether the
/// task is Asking or Failed, not its `on_failure`. Reservations, settlements and notes of an attempt do
/// not change the state of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Waits for its parents.
    Pending,
    /// May start; waits for a slot.
    Ready,
    /// An attempt runs.
    Running {
        /// The attempt.
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
    /// Its items run, or wait for their slots. Holds no slot itself.
    Mapping,
    /// It failed, and another task runs in its place. Holds no slot itself.
    FallingBack {
        /// The other task.
        to: TaskId,
        /// How it failed.
        why: Fault,
    },
    /// An attempt is being stopped; it keeps its slot until it has ended or is abandoned.
    Canceling {
        /// The attempt.
        attempt: Attempt,
        /// The reason.
        why: CutWhy,
    },
    /// It has its result.
    Completed {
        /// The place of the result.
        output: Output,
    },
    /// It failed, and no attempt follows.
    Failed {
        /// The fault of the last attempt.
        why: Fault,
    },
    /// It has no result and did not fail: its trigger cannot fire, its approval was refused, or its executor
    /// had nothing to do.
    Skipped {
        /// The reason.
        why: SkipWhy,
    },
    /// It was stopped, or was never allowed to start.
    Canceled {
        /// The reason.
        why: CancelWhy,
    },
}

impl TaskState {
    /// Whether this state is final.
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
            Self::Mapping => "mapping",
            Self::FallingBack { .. } => "falling_back",
            Self::Canceling { .. } => "canceling",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
            Self::Canceled { .. } => "canceled",
        }
    }
}

/// Where the result of a completed task is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// No result: of a milestone, or of an executor that returned the null value.
    #[default]
    None,
    /// In this content of the run.
    Content(ContentId),
    /// In the task's definition: the substitute of `on_failure`, or the default answer. Of a task whose fallback
    /// has completed, in the definition of the fallback.
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
    /// Why a result of an earlier run is that of a task.
    #[derive(Default)]
    SuppliedWhy {
        /// A retry keeps it: neither the task nor what it depends on has changed or runs again.
        #[default]
        Kept = "kept" => "kept of the earlier run",
        /// A run made it with the same parameters and the same input files.
        Cached = "cached" => "found in the cache",
        /// What the task depends on ran again, with the same results as in the run that this run retries.
        SameInputs = "same_inputs" => "kept, because its inputs are the same",
    }
}

words! {
    /// How an attempt, and finally its task, failed.
    Fault {
        /// The executor returned an error that a retry may resolve.
        Error = "error" => "error",
        /// The executor returned an error that no retry resolves.
        Permanent = "permanent" => "permanent error",
        /// The executor refused the work.
        Refused = "refused" => "refused",
        /// The executor panicked. Retryable.
        Panicked = "panicked" => "panicked",
        /// The attempt took too long. Retryable.
        AttemptTimeout = "attempt_timeout" => "attempt timed out",
        /// The attempt gave no sign of life for too long. Retryable.
        IdleTimeout = "idle_timeout" => "idle for too long",
        /// All attempts together took too long.
        TaskTimeout = "task_timeout" => "task timed out",
        /// The end of the attempt is unknown, and it must not be repeated without an answer of a person.
        Interrupted = "interrupted" => "interrupted",
        /// A budget does not cover the next call. No retry resolves that, and the run's policy decides
        /// instead of the task's `on_failure`.
        Budget = "budget" => "over budget",
        /// An item of its list failed.
        Item = "item" => "an item failed",
        /// The task could not be prepared: an error in its condition, for example.
        Prepare = "prepare" => "could not be prepared",
        /// The executor found nothing to do: the task is skipped. No failure.
        Skipped = "skipped" => "skipped by its executor",
    }
}

impl Fault {
    /// The fault of a task with these rules in words: a time-out with its limit.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zeph_graph::{Fault, Task};
    /// let task = Task::new("build").timeout(Duration::from_secs(90));
    /// let text = Fault::AttemptTimeout.text(task.rules());
    /// assert_eq!(text, "took longer than its timeout of 1m 30s");
    /// assert_eq!(Fault::Error.text(task.rules()), "error");
    /// ```
    #[must_use]
    pub fn text(self, rules: &Rules) -> String {
        match (self, rules.attempt_timeout, rules.task_timeout) {
            (Self::AttemptTimeout, Some(limit), _) => {
                let limit = zeph_common::format_duration(limit);
                format!("took longer than its timeout of {limit}")
            }
            (Self::IdleTimeout, ..) => match rules.idle_timeout {
                Some(limit) => {
                    let limit = zeph_common::format_duration(limit);
                    format!("gave no output and no heartbeat for its idle_timeout of {limit}")
                }
                None => self.to_string(),
            },
            (Self::TaskTimeout, _, Some(limit)) => {
                let limit = zeph_common::format_duration(limit);
                format!("used up its total_timeout of {limit}")
            }
            _ => self.to_string(),
        }
    }

    /// Whether the retry policy applies.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Error | Self::Panicked | Self::AttemptTimeout | Self::IdleTimeout => true,
            Self::Permanent
            | Self::Refused
            | Self::TaskTimeout
            | Self::Interrupted
            | Self::Budget
            | Self::Item
            | Self::Prepare
            | Self::Skipped => false,
        }
    }
}

/// Why a task was canceled. A cancel by request carries its scope, so that a journal can be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelWhy {
    /// A cancel of this task alone.
    Task,
    /// A cancel of the task with that index and of all its dependents. The index may be this task's.
    ///
    /// An index and not a `TaskId`, which is twice as large and would enlarge every state and record.
    Downstream(u32),
    /// Another item of its list failed.
    Item,
    /// A cancel of the run.
    Run,
    /// Another task failed, and its strategy is to abort the run.
    Abort,
    /// The run exceeded its time-out.
    RunTimeout,
}

impl std::fmt::Display for CancelWhy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Task => "cancel requested",
            Self::Downstream(_) => "cancel requested for a task and its dependents",
            Self::Item => "another item of its list failed",
            Self::Run => "the run was canceled",
            Self::Abort => "the run was aborted",
            Self::RunTimeout => "the run timed out",
        })
    }
}

words! {
    /// How a cut attempt ended.
    CutHow {
        /// Its executor ended after the request to stop.
        Stopped = "stopped" => "stopped",
        /// Its executor ended it by force: what it did is unknown.
        Killed = "killed" => "killed",
        /// Its executor did not end within the grace period and may still be running.
        Abandoned = "abandoned" => "abandoned",
        /// The process that ran it ended.
        Lost = "lost" => "interrupted by a crash",
    }
}

/// Why an attempt is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutWhy {
    /// The task is canceled.
    Cancel(CancelWhy),
    /// The attempt took too long.
    AttemptTimeout,
    /// The attempt gave no sign of life for too long.
    IdleTimeout,
    /// All attempts together took too long.
    TaskTimeout,
    /// The run is suspended; the attempt costs no retry.
    Suspend,
    /// A person has given the task its end.
    Override,
}

impl std::fmt::Display for CutWhy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cancel(why) => why.fmt(f),
            Self::AttemptTimeout => Fault::AttemptTimeout.fmt(f),
            Self::IdleTimeout => Fault::IdleTimeout.fmt(f),
            Self::TaskTimeout => Fault::TaskTimeout.fmt(f),
            Self::Suspend => f.write_str("the run is being suspended"),
            Self::Override => f.write_str("it was given another end"),
        }
    }
}

/// Why a task was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipWhy {
    /// Its trigger can no longer fire, because this parent did not complete.
    Upstream(TaskId),
    /// Its trigger is `any_failed`, and no parent failed.
    NoFailure,
    /// A person or the default answer refused the approval.
    Declined,
    /// Its condition does not hold.
    Condition,
    /// Its executor found nothing to do.
    Executor,
    /// A person skipped it.
    Override,
    /// The task that added it has withdrawn it.
    Withdrawn,
    /// It is the fallback of a task that ended without it.
    NotNeeded,
    /// A patch took it out of the graph before it started.
    Removed,
}

impl std::fmt::Display for SkipWhy {
    /// The reason in words; the parent of [`Upstream`](Self::Upstream) has no name here.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Upstream(_) => "a task that it depends on did not complete",
            Self::NoFailure => "no task that it depends on failed",
            Self::Declined => "the answer to its approval was no",
            Self::Condition => "its condition does not hold",
            Self::Executor => "it found nothing to do",
            Self::Override => "by hand",
            Self::Withdrawn => "the task that added it has withdrawn it",
            Self::NotNeeded => "the task whose fallback it is did not need it",
            Self::Removed => "an amendment removed it",
        })
    }
}

/// The subject of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskWhy {
    /// The task itself is a question.
    Work,
    /// An approval: whether the task may start.
    Approve,
    /// What happens to the task, which failed in this way.
    Failure(Fault),
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Tasks run or can start.
    Running,
    /// Nothing new starts until the run is unpaused; running attempts continue.
    Paused,
    /// The run waits for answers only.
    Waiting,
    /// Nothing new starts; running attempts have the grace period to end.
    Suspending,
    /// No attempt is in flight; any process can resume the run.
    Suspended,
    /// Ended.
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
        /// A task failed or was canceled, and the rest of the run continued.
        Degraded = "degraded" => "degraded",
        /// A failure aborted the run.
        Failed = "failed" => "failed",
        /// The run was canceled.
        Canceled = "canceled" => "canceled",
        /// The run exceeded its time-out.
        TimedOut = "timed_out" => "timed out",
    }
}
