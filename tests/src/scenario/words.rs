//! Words: formats a record as one short line.

use zeph_graph::{
    Answer, AskWhy, EndingWhy, FailureAnswer, ManualEnd, Output, Record, SkipWhy, SuppliedWhy,
    TaskGraph, TaskId, Timestamp,
};

use super::times::moment;

/// A record as text.
pub(super) fn record(graph: &TaskGraph, start: Timestamp, record: &Record) -> String {
    let name = |task: TaskId| graph.task(task).name().to_owned();
    let subject = record.task().map(name).unwrap_or_default();
    let what = match *record {
        Record::Opened => "opened".into(),
        Record::Preparing { .. } => "is prepared".into(),
        Record::PrepareFailed { fault, .. } => format!("does not run: {fault}"),
        Record::Readied { .. } => "ready".into(),
        Record::Started { attempt, .. } => format!("starts #{attempt}"),
        Record::Completed { output, .. } => format!("completed{}", value(output)),
        Record::Supplied { output, why, .. } => match why {
            SuppliedWhy::Kept => format!("supplied{}", value(output)),
            SuppliedWhy::Cached | SuppliedWhy::SameInputs => {
                format!("supplied{}: {why}", value(output))
            }
        },
        Record::AttemptFailed { attempt, fault, .. } => format!("#{attempt} failed: {fault}"),
        Record::AttemptCut { attempt, how, .. } => format!("#{attempt} {}", how.word()),
        Record::BackedOff { until, .. } => format!("backs off until {}", moment(start, until)),
        Record::FellBack { to, why, .. } => format!("falls back to {}: {why}", name(to)),
        Record::Asked { question, why, .. } => format!("asks q{question}: {}", ask_why(why)),
        Record::Answered {
            question,
            answer,
            by,
            ..
        } => {
            let by = if by.is_default() { " by default" } else { "" };
            format!("q{question} answered{by}: {}", answer_word(answer))
        }
        Record::Overridden { end, .. } => match end {
            ManualEnd::Complete(output) => format!("is given its result{}", value(output)),
            ManualEnd::Skip => "is to be skipped".into(),
            ManualEnd::Withdraw => "is to be withdrawn".into(),
        },
        Record::CancelRequested { attempt, why, .. } => {
            format!("#{attempt} stopping: {why}")
        }
        Record::Failed { why, .. } => format!("FAILED: {why}"),
        Record::Skipped { why, .. } => match why {
            SkipWhy::Upstream(parent) => format!("SKIPPED because of {}", name(parent)),
            SkipWhy::NoFailure => "SKIPPED: nothing failed".into(),
            SkipWhy::Declined => "SKIPPED: declined".into(),
            SkipWhy::Condition => "SKIPPED: its condition".into(),
            SkipWhy::Executor => "SKIPPED: nothing to do".into(),
            SkipWhy::Override => "SKIPPED: by hand".into(),
            SkipWhy::Withdrawn => "SKIPPED: withdrawn".into(),
            SkipWhy::NotNeeded => "SKIPPED: not needed".into(),
            SkipWhy::Removed => "SKIPPED: removed".into(),
        },
        Record::Canceled { why, .. } => format!("CANCELED: {why}"),
        Record::Ending { why } => match why {
            EndingWhy::Abort(task) => format!("ending: {} aborts", name(task)),
            EndingWhy::Cancel => "ending: cancelled".into(),
            EndingWhy::Timeout => "ending: timed out".into(),
        },
        Record::Paused => "paused".into(),
        Record::Unpaused => "unpaused".into(),
        Record::Suspending => "suspending".into(),
        Record::Suspended => "suspended".into(),
        Record::Resumed => "resumed".into(),
        Record::Reserved {
            reservation, most, ..
        } => format!("reserves b{reservation}: {most}"),
        Record::Settled {
            reservation, spent, ..
        } => format!("settles b{reservation}: {spent}"),
        Record::Noted {
            attempt, content, ..
        } => format!("#{attempt} notes c{content}"),
        Record::Amended { task, content, .. } => {
            let who = if task.is_none() { "a person " } else { "" };
            format!("{who}amends: c{content}")
        }
        Record::Expanded { count, list, .. } => format!("has {count} items: c{list}"),
        Record::Budgeted { budget } => format!("budget: {budget}"),
        Record::Ended { end } => format!("ENDED: {end}"),
    };
    if subject.is_empty() {
        what
    } else {
        format!("{subject} {what}")
    }
}

fn value(output: Output) -> String {
    match output {
        Output::None => String::new(),
        Output::Content(content) => format!(" with c{content}"),
        Output::Definition => " with the value of its definition".into(),
    }
}

pub(super) fn ask_why(why: AskWhy) -> String {
    match why {
        AskWhy::Work => "the question of the task".into(),
        AskWhy::Approve => "approval".into(),
        AskWhy::Failure(fault) => format!("failed: {fault}"),
    }
}

fn answer_word(answer: Answer) -> String {
    match answer {
        Answer::Yes => "yes".into(),
        Answer::No => "no".into(),
        Answer::Failure(FailureAnswer::Retry) => "retry".into(),
        Answer::Failure(FailureAnswer::Skip) => "skip".into(),
        Answer::Failure(FailureAnswer::Abort) => "abort".into(),
        Answer::Value(output) => format!("value{}", value(output)),
    }
}
