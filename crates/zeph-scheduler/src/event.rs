//! Events: saved records with the names, numbers and durations that a display needs.

mod display;
mod log;

use std::sync::Arc;
use std::time::Duration;

use zeph_graph::{
    AskWhy, Attempt, Budget, CancelWhy, ContentId, CutHow, CutWhy, EndingWhy, Entry, Fault,
    QuestionId, Record, ReservationId, RunEnd, Seq, SkipWhy, Spend, TaskGraph, TaskId, Timestamp,
    Work,
};

pub use log::EventLog;

/// A saved record with what a display needs beside it: names, duration, number of attempts.
///
/// An [`EventLog`] makes complete events; [`from_entry`](Self::from_entry) makes one from a single
/// entry. `Display` writes one line, without the time and without a full stop; names are quoted and
/// escaped, so the line is safe on a terminal.
///
/// # Examples
/// ```
/// use zeph_graph::{Entry, Record, Seq, TaskGraph, Timestamp};
/// use zeph_scheduler::{Event, EventKind};
///
/// let mut graph = TaskGraph::new();
/// let task = graph.add_task("fetch", []);
/// let entry = Entry { seq: Seq::FIRST, at: Timestamp::ZERO, record: Record::Readied { task } };
/// let event = Event::from_entry(&entry, &graph);
/// assert_eq!(event.kind(), EventKind::TaskReady);
/// assert_eq!(event.to_string(), r#"task "fetch" is ready"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The position in the journal.
    pub seq: Seq,
    /// When the decision was made.
    pub at: Timestamp,
    /// The decision.
    pub record: Record,
    /// The name of the task that the record is about.
    pub task_name: Option<Arc<str>>,
    /// The name of the task that caused it: the parent that skipped this task, the task whose cancel
    /// includes it, or the task that aborted the run.
    pub because: Option<Arc<str>>,
    /// At the end of an attempt, and at the end of a task that had one: how long the attempt ran.
    ///
    /// `None` if the attempt was lost, since its end is unknown, and in events of
    /// [`from_entry`](Self::from_entry).
    pub took: Option<Duration>,
    /// How many attempts of the task have been started. 0 in records of the run.
    pub attempts: u32,
    milestone: bool,
}

/// The kind of an event, without task ids, to match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The run began.
    RunStarted,
    /// The task may start.
    TaskReady,
    /// An attempt starts.
    TaskStarted {
        /// The attempt.
        attempt: Attempt,
    },
    /// The task has its result.
    TaskCompleted {
        /// Whether the task is a milestone, which has no work.
        milestone: bool,
    },
    /// An attempt failed. The next event of the task is the consequence, such as a back-off.
    AttemptFailed {
        /// The attempt.
        attempt: Attempt,
        /// The fault.
        fault: Fault,
    },
    /// An attempt was stopped, abandoned or lost. The next event of the task is the consequence.
    AttemptCut {
        /// The attempt.
        attempt: Attempt,
        /// How it ended.
        how: CutHow,
    },
    /// The task backs off before its next attempt.
    TaskRetrying {
        /// When the task becomes ready again.
        until: Timestamp,
    },
    /// The attempt is being stopped.
    TaskCanceling {
        /// The attempt.
        attempt: Attempt,
        /// The reason.
        why: CutWhy,
    },
    /// The task failed for good.
    TaskFailed {
        /// The fault.
        fault: Fault,
    },
    /// The task does not run, in accordance with the graph or an answer.
    TaskSkipped {
        /// The reason.
        why: SkipWhy,
    },
    /// The task was stopped, or must not start.
    TaskCanceled {
        /// The reason.
        why: CancelWhy,
    },
    /// A question was asked.
    QuestionAsked {
        /// The question.
        question: QuestionId,
        /// What the question is about.
        why: AskWhy,
    },
    /// A question was answered and closed.
    QuestionAnswered {
        /// The question.
        question: QuestionId,
        /// Whether the default was used because no answer came in time.
        by_default: bool,
    },
    /// Nothing starts any more, and running attempts are stopped.
    RunEnding {
        /// The reason.
        why: EndingWhy,
    },
    /// Nothing new starts until `RunUnpaused`.
    RunPaused,
    /// The pause has ended.
    RunUnpaused,
    /// Nothing new starts; running attempts have the grace period to end.
    RunSuspending,
    /// The run is suspended: no attempt is in flight.
    RunSuspended,
    /// The run continues after a suspension or a crash.
    RunResumed,
    /// An attempt reserved a part of the budget.
    SpendReserved {
        /// The reservation.
        reservation: ReservationId,
        /// The most that it may spend.
        most: Spend,
    },
    /// A reservation was settled.
    SpendSettled {
        /// The reservation.
        reservation: ReservationId,
        /// The amount spent.
        spent: Spend,
    },
    /// A note about an attempt was saved.
    AttemptNoted {
        /// The attempt.
        attempt: Attempt,
        /// The note.
        content: ContentId,
    },
    /// The graph grew by a patch of the task.
    GraphAmended {
        /// The patch.
        content: ContentId,
    },
    /// The run has another budget.
    BudgetSet {
        /// The budget of the whole run, including earlier spending.
        budget: Budget,
    },
    /// The run has ended. The last event.
    RunEnded {
        /// How it ended.
        end: RunEnd,
    },
}

impl Event {
    /// An event from one entry of a run of this graph, without `took` and `attempts`. Copies no text.
    #[must_use]
    pub fn from_entry(entry: &Entry, graph: &TaskGraph) -> Self {
        let name = |id: TaskId| graph.get(id).map(zeph_graph::Task::shared_name);
        let task = entry.record.task();
        let definition = task.and_then(|id| graph.get(id));
        Self {
            seq: entry.seq,
            at: entry.at,
            record: entry.record,
            task_name: task.and_then(name),
            because: cause(&entry.record).and_then(name),
            took: None,
            attempts: 0,
            milestone: definition.is_some_and(|task| *task.work() == Work::Milestone),
        }
    }

    /// The task that the event is about, if it is about one.
    #[must_use]
    pub const fn task(&self) -> Option<TaskId> {
        self.record.task()
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self.record {
            Record::Opened => EventKind::RunStarted,
            Record::Readied { .. } => EventKind::TaskReady,
            Record::Started { attempt, .. } => EventKind::TaskStarted { attempt },
            Record::Completed { .. } => EventKind::TaskCompleted {
                milestone: self.milestone,
            },
            Record::AttemptFailed { attempt, fault, .. } => {
                EventKind::AttemptFailed { attempt, fault }
            }
            Record::AttemptCut { attempt, how, .. } => EventKind::AttemptCut { attempt, how },
            Record::BackedOff { until, .. } => EventKind::TaskRetrying { until },
            Record::Asked { question, why, .. } => EventKind::QuestionAsked { question, why },
            Record::Answered {
                question,
                by_default,
                ..
            } => EventKind::QuestionAnswered {
                question,
                by_default,
            },
            Record::CancelRequested { attempt, why, .. } => {
                EventKind::TaskCanceling { attempt, why }
            }
            Record::Failed { why, .. } => EventKind::TaskFailed { fault: why },
            Record::Skipped { why, .. } => EventKind::TaskSkipped { why },
            Record::Canceled { why, .. } => EventKind::TaskCanceled { why },
            Record::Ending { why } => EventKind::RunEnding { why },
            Record::Paused => EventKind::RunPaused,
            Record::Unpaused => EventKind::RunUnpaused,
            Record::Suspending => EventKind::RunSuspending,
            Record::Suspended => EventKind::RunSuspended,
            Record::Resumed => EventKind::RunResumed,
            Record::Reserved {
                reservation, most, ..
            } => EventKind::SpendReserved { reservation, most },
            Record::Settled {
                reservation, spent, ..
            } => EventKind::SpendSettled { reservation, spent },
            Record::Noted {
                attempt, content, ..
            } => EventKind::AttemptNoted { attempt, content },
            Record::Amended { content, .. } => EventKind::GraphAmended { content },
            Record::Budgeted { budget } => EventKind::BudgetSet { budget },
            Record::Ended { end } => EventKind::RunEnded { end },
        }
    }
}

impl EventKind {
    /// The name in JSON and at the terminal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::RunStarted => "run_started",
            Self::TaskReady => "task_ready",
            Self::TaskStarted { .. } => "task_started",
            Self::TaskCompleted { .. } => "task_completed",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::AttemptCut { .. } => "attempt_cut",
            Self::TaskRetrying { .. } => "task_retrying",
            Self::TaskCanceling { .. } => "task_canceling",
            Self::TaskFailed { .. } => "task_failed",
            Self::TaskSkipped { .. } => "task_skipped",
            Self::TaskCanceled { .. } => "task_canceled",
            Self::QuestionAsked { .. } => "question_asked",
            Self::QuestionAnswered { .. } => "question_answered",
            Self::RunEnding { .. } => "run_ending",
            Self::RunPaused => "run_paused",
            Self::RunUnpaused => "run_unpaused",
            Self::RunSuspending => "run_suspending",
            Self::RunSuspended => "run_suspended",
            Self::RunResumed => "run_resumed",
            Self::SpendReserved { .. } => "spend_reserved",
            Self::SpendSettled { .. } => "spend_settled",
            Self::AttemptNoted { .. } => "attempt_noted",
            Self::GraphAmended { .. } => "graph_amended",
            Self::BudgetSet { .. } => "budget_set",
            Self::RunEnded { .. } => "run_ended",
        }
    }
}

/// The other task that the record names as its cause.
const fn cause(record: &Record) -> Option<TaskId> {
    if let Record::Skipped {
        why: SkipWhy::Upstream(task),
        ..
    }
    | Record::Ending {
        why: EndingWhy::Abort(task),
    } = *record
    {
        return Some(task);
    }
    if let Record::Canceled {
        why: CancelWhy::Downstream(root),
        ..
    }
    | Record::CancelRequested {
        why: CutWhy::Cancel(CancelWhy::Downstream(root)),
        ..
    } = *record
    {
        return Some(TaskId::from_index(root));
    }
    None
}

#[cfg(test)]
mod tests;
