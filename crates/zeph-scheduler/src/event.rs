//! Event: a saved record with names, as observers see it.

use std::fmt;
use std::sync::Arc;

use zeph_graph::{
    AskWhy, Attempt, Budget, CancelWhy, ContentId, CutHow, CutWhy, EndingWhy, Entry, Fault, Output,
    QuestionId, Record, ReservationId, RunEnd, Seq, SkipWhy, Spend, TaskGraph, TaskId, Timestamp,
    Work,
};

/// A record of the journal, told to people and programs: the entry, and the names that its ids stand
/// for.
///
/// Its `Display` is one line, without the time and without a full stop; names are quoted and
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
/// let event = Event::of(&entry, &graph);
/// assert_eq!(event.kind(), EventKind::TaskReady);
/// assert_eq!(event.to_string(), r#"task "fetch" is ready"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Where in the journal.
    pub seq: Seq,
    /// When it was decided.
    pub at: Timestamp,
    /// What was decided.
    pub record: Record,
    /// The name of the task that the record is about.
    pub task_name: Option<Arc<str>>,
    /// The name of the task to blame: the parent that skipped this one, or what aborted the run.
    pub because: Option<Arc<str>>,
    milestone: bool,
}

/// What an event is, without the ids: to match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The run began.
    RunStarted,
    /// The task may start.
    TaskReady,
    /// An attempt starts.
    TaskStarted {
        /// Which one.
        attempt: Attempt,
    },
    /// The task has its result.
    TaskCompleted {
        /// Whether there was nothing to do: the task completed by becoming ready.
        milestone: bool,
    },
    /// An attempt failed; what follows is told next.
    AttemptFailed {
        /// Which one.
        attempt: Attempt,
        /// How.
        fault: Fault,
    },
    /// An attempt was stopped, given up or lost; what follows is told next.
    AttemptCut {
        /// Which one.
        attempt: Attempt,
        /// How it ended.
        how: CutHow,
    },
    /// The next attempt waits.
    TaskRetrying {
        /// Until when.
        until: Timestamp,
    },
    /// The task's attempt is told to end.
    TaskCanceling {
        /// Which one.
        attempt: Attempt,
        /// Why.
        why: CutWhy,
    },
    /// The task failed for good.
    TaskFailed {
        /// How.
        fault: Fault,
    },
    /// The task will not run, and that is in order.
    TaskSkipped {
        /// Why.
        why: SkipWhy,
    },
    /// The task was stopped, or will not be allowed to start.
    TaskCanceled {
        /// Why.
        why: CancelWhy,
    },
    /// A person is asked.
    QuestionAsked {
        /// The question.
        question: QuestionId,
        /// What about.
        why: AskWhy,
    },
    /// A question is answered and closed.
    QuestionAnswered {
        /// The question.
        question: QuestionId,
        /// Whether nobody answered in time.
        by_default: bool,
    },
    /// Nothing starts any more.
    RunEnding {
        /// Why.
        why: EndingWhy,
    },
    /// Nothing new starts for now.
    RunPaused,
    /// The pause is over.
    RunUnpaused,
    /// The run comes to rest.
    RunSuspending,
    /// The run is at rest.
    RunSuspended,
    /// The run goes on after a suspension or a crash.
    RunResumed,
    /// The task's attempt may spend something.
    SpendReserved {
        /// The reservation.
        reservation: ReservationId,
        /// What it may spend at most.
        most: Spend,
    },
    /// The task's attempt has spent something.
    SpendSettled {
        /// The reservation.
        reservation: ReservationId,
        /// What was spent.
        spent: Spend,
    },
    /// Something is kept about an attempt.
    AttemptNoted {
        /// Which one.
        attempt: Attempt,
        /// The note.
        content: ContentId,
    },
    /// The graph has grown by a patch that the task proposed.
    GraphAmended {
        /// The patch.
        content: ContentId,
    },
    /// The run may cost that much from here on.
    BudgetSet {
        /// How much.
        budget: Budget,
    },
    /// The run is over. The last event.
    RunEnded {
        /// How it ended.
        end: RunEnd,
    },
}

impl Event {
    /// The event that tells of a record of a run of this graph. Copies no text.
    #[must_use]
    pub fn of(entry: &Entry, graph: &TaskGraph) -> Self {
        let name = |id: TaskId| graph.get(id).map(zeph_graph::Task::shared_name);
        let task = entry.record.task();
        let definition = task.and_then(|id| graph.get(id));
        Self {
            seq: entry.seq,
            at: entry.at,
            record: entry.record,
            task_name: task.and_then(name),
            because: blamed(&entry.record).and_then(name),
            milestone: definition.is_some_and(|task| *task.work() == Work::Milestone),
        }
    }

    /// The task that it is about, if it is about one.
    #[must_use]
    pub const fn task(&self) -> Option<TaskId> {
        self.record.task()
    }

    /// What it is.
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

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A quoted text is escaped: control and bidi characters cannot act.
        let name = self.task_name.as_deref().unwrap_or("?");
        let because = self.because.as_deref().unwrap_or("?");
        match self.kind() {
            EventKind::RunStarted => f.write_str("the run started"),
            EventKind::TaskReady => write!(f, "task {name:?} is ready"),
            EventKind::TaskStarted { attempt } if attempt == Attempt::FIRST => {
                write!(f, "task {name:?} started")
            }
            EventKind::TaskStarted { attempt } => {
                write!(f, "task {name:?} started again, attempt {attempt}")
            }
            EventKind::TaskCompleted { milestone: true } => {
                write!(f, "milestone {name:?} is reached")
            }
            EventKind::TaskCompleted { milestone: false } => {
                write!(f, "task {name:?} completed{}", self.stand_in())
            }
            EventKind::AttemptFailed { attempt, fault } => {
                write!(f, "attempt {attempt} of task {name:?} failed: {fault}")
            }
            EventKind::AttemptCut { attempt, how } => {
                write!(f, "attempt {attempt} of task {name:?} was {how}")
            }
            EventKind::TaskRetrying { until } => {
                let wait = until.since(self.at);
                write!(f, "task {name:?} tries again in {wait:?}")
            }
            EventKind::TaskCanceling { attempt, why } => {
                let why = reason(why);
                write!(
                    f,
                    "attempt {attempt} of task {name:?} is being stopped: {why}"
                )
            }
            EventKind::TaskFailed { fault } => write!(f, "task {name:?} failed: {fault}"),
            EventKind::TaskSkipped {
                why: SkipWhy::Upstream(_),
            } => write!(
                f,
                "task {name:?} is skipped: task {because:?} did not complete"
            ),
            EventKind::TaskSkipped {
                why: SkipWhy::Declined,
            } => write!(f, "task {name:?} is skipped: the answer was no"),
            EventKind::TaskCanceled { why } => write!(f, "task {name:?} is canceled: {why}"),
            EventKind::QuestionAsked { question, why } => f.write_str(&asked(name, question, why)),
            EventKind::QuestionAnswered {
                question,
                by_default: false,
            } => write!(f, "question {question} of task {name:?} is answered"),
            EventKind::QuestionAnswered { question, .. } => write!(
                f,
                "question {question} of task {name:?} had no answer in time, its default counts"
            ),
            EventKind::RunEnding { why } => match why {
                EndingWhy::Abort(_) => write!(f, "the run is aborted: task {because:?} failed"),
                EndingWhy::Cancel => f.write_str("the run is being cancelled"),
                EndingWhy::Timeout => f.write_str("the run took too long and is being stopped"),
            },
            EventKind::RunPaused => f.write_str("the run is paused"),
            EventKind::RunUnpaused => f.write_str("the pause is over"),
            EventKind::RunSuspending => f.write_str("the run is being suspended"),
            EventKind::RunSuspended => f.write_str("the run is suspended"),
            EventKind::RunResumed => f.write_str("the run goes on"),
            EventKind::SpendReserved { most, .. } => {
                write!(f, "task {name:?} may spend up to {most}")
            }
            EventKind::SpendSettled { spent, .. } => write!(f, "task {name:?} spent {spent}"),
            EventKind::AttemptNoted { attempt, .. } => {
                write!(f, "attempt {attempt} of task {name:?} left a note")
            }
            EventKind::GraphAmended { .. } => write!(f, "task {name:?} added tasks to the graph"),
            EventKind::BudgetSet { budget } if budget.is_unlimited() => {
                f.write_str("the run has no budget any more")
            }
            EventKind::BudgetSet { budget } => write!(f, "the run may cost {budget}"),
            EventKind::RunEnded { end } => write!(f, "the run ended: {end}"),
        }
    }
}

impl Event {
    const fn stand_in(&self) -> &'static str {
        if let Record::Completed {
            output: Output::Definition,
            ..
        } = self.record
        {
            " with the value that its definition gives"
        } else {
            ""
        }
    }
}

fn asked(name: &str, question: QuestionId, why: AskWhy) -> String {
    match why {
        AskWhy::Work => format!("task {name:?} asks question {question}"),
        AskWhy::Approve => format!("question {question}: may task {name:?} start?"),
        AskWhy::Failure(fault) => {
            format!("question {question}: task {name:?} failed ({fault}), what now?")
        }
    }
}

fn blamed(record: &Record) -> Option<TaskId> {
    if let Record::Skipped {
        why: SkipWhy::Upstream(task),
        ..
    }
    | Record::Ending {
        why: EndingWhy::Abort(task),
    } = *record
    {
        Some(task)
    } else {
        None
    }
}

fn reason(why: CutWhy) -> &'static str {
    match why {
        CutWhy::Cancel(CancelWhy::Task) => "somebody cancelled it",
        CutWhy::Cancel(CancelWhy::Downstream) => "somebody cancelled a task it depends on",
        CutWhy::Cancel(CancelWhy::Run) => "somebody cancelled the run",
        CutWhy::Cancel(CancelWhy::Abort) => "the run is aborted",
        CutWhy::Cancel(CancelWhy::RunTimeout) => "the run took too long",
        CutWhy::AttemptTimeout => "it took too long",
        CutWhy::TaskTimeout => "all attempts together took too long",
        CutWhy::Suspend => "the run is being suspended",
    }
}

#[cfg(test)]
mod tests;
