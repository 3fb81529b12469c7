//! The text of an event: one line.

use std::fmt;

use zeph_graph::{AskWhy, Attempt, EndingWhy, Output, QuestionId, Record, SkipWhy};

use super::{Event, EventKind};

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
                write!(f, "task {name:?} completed{}", self.substitute())
            }
            EventKind::AttemptFailed { attempt, fault } => {
                write!(f, "attempt {attempt} of task {name:?} failed: {fault}")
            }
            EventKind::AttemptCut { attempt, how } => {
                write!(f, "attempt {attempt} of task {name:?} was {how}")
            }
            EventKind::TaskRetrying { until } => {
                let wait = until.since(self.at);
                write!(f, "task {name:?} backs off for {wait:?}")
            }
            EventKind::TaskCanceling { attempt, why } => {
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
                "question {question} of task {name:?} was answered by its default"
            ),
            EventKind::RunEnding { why } => match why {
                EndingWhy::Abort(_) => write!(f, "the run is aborted: task {because:?} failed"),
                EndingWhy::Cancel => f.write_str("the run is cancelled"),
                EndingWhy::Timeout => f.write_str("the run timed out and is being stopped"),
            },
            EventKind::RunPaused => f.write_str("the run is paused"),
            EventKind::RunUnpaused => f.write_str("the run is unpaused"),
            EventKind::RunSuspending => f.write_str("the run is being suspended"),
            EventKind::RunSuspended => f.write_str("the run is suspended"),
            EventKind::RunResumed => f.write_str("the run continues"),
            EventKind::SpendReserved { most, .. } => {
                write!(f, "task {name:?} may spend up to {most}")
            }
            EventKind::SpendSettled { spent, .. } => write!(f, "task {name:?} spent {spent}"),
            EventKind::AttemptNoted { attempt, .. } => {
                write!(f, "attempt {attempt} of task {name:?} saved a note")
            }
            EventKind::GraphAmended { .. } => write!(f, "task {name:?} added tasks to the graph"),
            EventKind::BudgetSet { budget } if budget.is_unlimited() => {
                f.write_str("the run has no budget limit")
            }
            EventKind::BudgetSet { budget } => write!(f, "the budget of the run is {budget}"),
            EventKind::RunEnded { end } => write!(f, "the run ended: {end}"),
        }
    }
}

impl Event {
    const fn substitute(&self) -> &'static str {
        if let Record::Completed {
            output: Output::Definition,
            ..
        } = self.record
        {
            " with the substitute value of its definition"
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
            format!("question {question}: task {name:?} failed ({fault}): how to continue?")
        }
    }
}
