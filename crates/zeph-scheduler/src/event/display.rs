//! The text of an event: one line.

use std::fmt;

use zeph_graph::{
    AskWhy, Attempt, EndingWhy, Fault, ManualEnd, Output, QuestionId, Record, SkipWhy, SuppliedWhy,
};

use super::Event;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A quoted text is escaped: control and bidi characters cannot act.
        let name = self.task_name.as_deref().unwrap_or("?");
        let because = self.because.as_deref().unwrap_or("?");
        match self.record {
            Record::Opened => f.write_str("the run started"),
            Record::Preparing { .. } => write!(f, "task {name:?} is being prepared"),
            Record::PrepareFailed {
                fault: Fault::Skipped,
                ..
            } => write!(f, "the condition of task {name:?} does not hold"),
            Record::PrepareFailed { .. } => write!(f, "task {name:?} could not be prepared"),
            Record::Readied { .. } => write!(f, "task {name:?} is ready"),
            Record::Started { attempt, .. } => f.write_str(&started(name, attempt)),
            Record::Completed { .. } if self.milestone => {
                write!(f, "milestone {name:?} is reached")
            }
            Record::Completed { output, .. } => f.write_str(&completed(name, output)),
            Record::Supplied { why, .. } => f.write_str(&supplied(name, why)),
            Record::AttemptFailed {
                attempt,
                fault: Fault::Skipped,
                ..
            } => write!(f, "attempt {attempt} of task {name:?} found nothing to do"),
            Record::AttemptFailed { attempt, fault, .. } => {
                write!(f, "attempt {attempt} of task {name:?} failed: {fault}")
            }
            Record::AttemptCut { attempt, how, .. } => {
                write!(f, "attempt {attempt} of task {name:?} was {how}")
            }
            Record::BackedOff { until, .. } => {
                let wait = until.since(self.at);
                write!(f, "task {name:?} backs off for {wait:?}")
            }
            Record::FellBack { why, .. } => write!(
                f,
                "task {name:?} failed: {why}; task {because:?} runs instead"
            ),
            Record::CancelRequested { attempt, why, .. } => write!(
                f,
                "attempt {attempt} of task {name:?} is being stopped: {why}"
            ),
            Record::Failed { why, .. } => write!(f, "task {name:?} failed: {why}"),
            Record::Skipped {
                why: SkipWhy::Upstream(_),
                ..
            } => write!(
                f,
                "task {name:?} is skipped: task {because:?} did not complete"
            ),
            Record::Skipped { why, .. } => write!(f, "task {name:?} is skipped: {why}"),
            Record::Canceled { why, .. } => write!(f, "task {name:?} is canceled: {why}"),
            Record::Asked { question, why, .. } => f.write_str(&asked(name, question, why)),
            Record::Answered { question, by, .. } if by.is_default() => write!(
                f,
                "question {question} of task {name:?} was answered by its default"
            ),
            Record::Answered { question, .. } => {
                write!(f, "question {question} of task {name:?} is answered")
            }
            Record::Overridden { end, .. } => f.write_str(&given(name, end)),
            Record::Ending { why } => match why {
                EndingWhy::Abort(_) => write!(f, "the run is aborted: task {because:?} failed"),
                EndingWhy::Cancel => f.write_str("the run is canceled"),
                EndingWhy::Timeout => f.write_str("the run timed out and is being stopped"),
            },
            Record::Paused => f.write_str("the run is paused"),
            Record::Unpaused => f.write_str("the run is unpaused"),
            Record::Suspending => f.write_str("the run is being suspended"),
            Record::Suspended => f.write_str("the run is suspended"),
            Record::Resumed => f.write_str("the run continues"),
            Record::Reserved { most, .. } => write!(f, "task {name:?} may spend up to {most}"),
            Record::Settled { spent, .. } => write!(f, "task {name:?} spent {spent}"),
            Record::Noted { attempt, .. } => {
                write!(f, "attempt {attempt} of task {name:?} saved a note")
            }
            Record::Amended { task: None, .. } => f.write_str("a person changed the graph"),
            Record::Amended { .. } => write!(f, "task {name:?} changed the graph"),
            Record::Expanded { count, .. } => {
                let items = if count == 1 { "item" } else { "items" };
                write!(f, "task {name:?} runs for {count} {items}")
            }
            Record::Budgeted { budget } if budget.is_unlimited() => {
                f.write_str("the run has no budget limit")
            }
            Record::Budgeted { budget } => write!(f, "the budget of the run is {budget}"),
            Record::Ended { end } => write!(f, "the run ended: {end}"),
        }
    }
}

fn started(name: &str, attempt: Attempt) -> String {
    match attempt {
        Attempt::FIRST => format!("task {name:?} started"),
        again => format!("task {name:?} started again, attempt {again}"),
    }
}

fn completed(name: &str, output: Output) -> String {
    let how = match output {
        Output::Definition => " with the substitute value of its definition",
        Output::Content(_) | Output::None => "",
    };
    format!("task {name:?} completed{how}")
}

fn supplied(name: &str, why: SuppliedWhy) -> String {
    let how = match why {
        SuppliedWhy::Kept => "has the result of an earlier run",
        SuppliedWhy::Cached => "is cached: it has the result of an earlier run",
        SuppliedWhy::SameInputs => "keeps its result: its inputs are those of the earlier run",
    };
    format!("task {name:?} {how}")
}

fn given(name: &str, end: ManualEnd) -> String {
    match end {
        ManualEnd::Complete(_) => format!("a person gives task {name:?} its result"),
        ManualEnd::Skip => format!("a person skips task {name:?}"),
        ManualEnd::Withdraw => format!("task {name:?} is withdrawn"),
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
