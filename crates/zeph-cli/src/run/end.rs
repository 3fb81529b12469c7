//! The end of a run: its failures in full, a summary, and what to type next.

use std::time::Duration;

use serde_json::{Value, json};
use zeph_common::{escape_terminal, escape_terminal_block, format_duration};
use zeph_executor::TaskErrorRecord;
use zeph_graph::{AskWhy, Budget, ContentId, Fault, RunState, Spent, TaskState};
use zeph_memory::RawGraphStore;
use zeph_runtime::{RunReport, RunView, TaskReport};
use zeph_scheduler::Counts;

use crate::cx::Cx;
use crate::exit::{CliError, Exit};
use crate::goal::{answer, confirm};
use crate::out::{self, Channel, Tone};
use crate::read::{budget, money};
use crate::run::narrate::answer_command;
use crate::run::session::{self, Followed, Manner};

/// The failures that are told in full.
const SHOWN: usize = 10;
/// The last lines of stderr that a failure shows.
const STDERR_LINES: usize = 15;

/// Why one task failed.
struct Failure<'a> {
    task: &'a TaskReport,
    fault: String,
    said: Option<TaskErrorRecord>,
}

/// Tells how the run stands and returns how the process ends.
pub(crate) async fn tell(
    cx: &Cx,
    store: &dyn RawGraphStore,
    followed: &Followed,
    manner: Manner,
    took: Duration,
) -> Result<Exit, CliError> {
    let report = &*followed.report;
    let channel = manner.channel;
    // When the store cannot be read any more, what was meant to be saved is all that is known.
    let view = RunView::load(store, &report.run).await.ok();
    let view = view.as_ref();
    let standing = Standing::of(view, report);
    let exit = match (&report.error, followed.signal) {
        (Some(_), _) => Exit::Store,
        (None, Some(signal)) => signal,
        (None, None) if is_out_of_budget(view, report) => Exit::Budget,
        (None, None) => Exit::of(report.state),
    };
    let failures = failures(store, view, report).await;
    let next = if manner.is_kept {
        next(followed, view, &failures, &cx.suffix())
    } else {
        Vec::new()
    };
    let answer = match view {
        Some(view) => answer::read(store, view).await?,
        None => None,
    };
    if cx.json() {
        let mut json = summary_json(followed, &standing, &failures, &next, exit, took);
        if let Some(answer) = &answer {
            json["answer"] = serde_json::json!(answer);
        }
        out::json(&channel.marked(json));
        return Ok(exit);
    }
    for failure in &failures {
        show(channel, failure, &report.run);
    }
    let all = session::failed(report).count();
    if all > failures.len() {
        channel.line(format!("… and {} more failures", all - failures.len()));
    }
    if !failures.is_empty() {
        channel.line("");
    }
    if let Some(answer) = &answer {
        answer::tell(channel, answer);
    }
    channel.line(summary(report, &standing, took));
    if let Some(reason) = &report.error {
        channel.line(format!(
            "{} the journal could not be written: {}",
            Tone::Bad.paint("error:"),
            escape_terminal(reason)
        ));
    }
    if !manner.is_kept && report.end().is_none() {
        channel.line("  nothing of it was kept (--no-db), so it cannot be resumed");
    }
    channel.commands(&next);
    Ok(exit)
}

/// Whether a budget stopped a task for good, or until a person decides.
fn is_out_of_budget(view: Option<&RunView>, report: &RunReport) -> bool {
    const STOPPED: TaskState = TaskState::Failed { why: Fault::Budget };
    let asks = |view: &RunView| asks_for_budget(view).next().is_some();
    report.tasks.iter().any(|task| task.state == STOPPED)
        || (report.end().is_none() && view.is_some_and(asks))
}

/// The open questions of tasks that a budget stopped.
fn asks_for_budget(view: &RunView) -> impl Iterator<Item = u32> + '_ {
    let open = view.scheduler.questions();
    open.filter(|open| open.why == AskWhy::Failure(Fault::Budget))
        .map(|open| open.id.get())
}

async fn failures<'a>(
    store: &dyn RawGraphStore,
    view: Option<&RunView>,
    report: &'a RunReport,
) -> Vec<Failure<'a>> {
    let mut failures: Vec<Failure<'a>> = (session::failed(report).take(SHOWN))
        .map(|task| Failure {
            task,
            fault: fault(task.state),
            said: None,
        })
        .collect();
    if failures.is_empty() {
        return failures;
    }
    // Without the store they are told by their kind.
    let Some(view) = view else {
        return failures;
    };
    for failure in &mut failures {
        let attempts = view.attempts(failure.task.id);
        let last: Option<ContentId> = attempts.iter().rev().find_map(|attempt| attempt.error);
        if let Some(id) = last {
            failure.said = view.error(store, id).await.ok().flatten();
        }
    }
    failures
}

fn fault(state: TaskState) -> String {
    if let TaskState::Failed { why } = state {
        why.to_string()
    } else {
        state.word().to_owned()
    }
}

fn show(channel: Channel, failure: &Failure<'_>, run: &zeph_graph::RunId) {
    let Failure { task, fault, said } = failure;
    let name = escape_terminal(&task.name);
    channel.line("");
    let message = said.as_ref().map_or(fault.as_str(), |said| &said.message);
    channel.line(format!(
        "{} {name} (attempt {}): {}",
        Tone::Bad.paint("FAILED"),
        task.attempts,
        escape_terminal(message)
    ));
    let Some(said) = said else { return };
    for cause in &said.chain {
        channel.line(format!("  caused by: {}", escape_terminal(cause)));
    }
    let stderr = (said.detail.as_ref())
        .and_then(|detail| detail.get("stderr_tail"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let stderr = escape_terminal_block(stderr.trim_end());
    let lines: Vec<&str> = stderr.lines().collect();
    let hidden = lines.len().saturating_sub(STDERR_LINES);
    if hidden > 0 {
        channel.line(format!(
            "  │ … {hidden} lines before, see `zeph logs {run} {name}`"
        ));
    }
    for line in &lines[hidden..] {
        channel.line(format!("  │ {line}"));
    }
}

fn summary(report: &RunReport, standing: &Standing, took: Duration) -> String {
    let tone = match report.state {
        RunState::Ended(zeph_graph::RunEnd::Completed) => Tone::Good,
        RunState::Ended(zeph_graph::RunEnd::Failed | zeph_graph::RunEnd::TimedOut) => Tone::Bad,
        RunState::Ended(zeph_graph::RunEnd::Degraded | zeph_graph::RunEnd::Canceled)
        | RunState::Running
        | RunState::Paused
        | RunState::Waiting
        | RunState::Suspending
        | RunState::Suspended => Tone::Warning,
    };
    let parts: Vec<String> = (standing.counts.iter())
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let parts = if parts.is_empty() {
        "no tasks".to_owned()
    } else {
        parts.join(", ")
    };
    format!(
        "run {} {}: {parts} in {}{}",
        report.run,
        tone.paint(standing.word),
        format_duration(took),
        standing.spent()
    )
}

/// Where the run stands on disk.
struct Standing {
    word: &'static str,
    counts: Counts,
    spent: Spent,
    budget: Budget,
}

impl Standing {
    /// A run whose journal could not be written stands where its last save left it.
    fn of(view: Option<&RunView>, report: &RunReport) -> Self {
        let budget = view.map_or(Budget::UNLIMITED, |view| view.scheduler.budget());
        let saved = view.filter(|_| report.error.is_some());
        Self {
            word: match report.error {
                None => report.state.word(),
                Some(_) => "interrupted",
            },
            counts: saved.map_or(report.counts, |view| view.scheduler.counts()),
            spent: saved.map_or(report.spent, |view| view.scheduler.spent()),
            budget,
        }
    }

    /// What was spent, if anything could be.
    fn spent(&self) -> String {
        let spent = money::spent_of(self.spent, self.budget);
        spent.map_or_else(String::new, |spent| format!(", {spent}"))
    }
}

/// What to type next, and what for.
fn next(
    followed: &Followed,
    view: Option<&RunView>,
    failures: &[Failure<'_>],
    db: &str,
) -> Vec<(String, String)> {
    let report = &followed.report;
    let run = &report.run;
    let mut next = Vec::new();
    if report.end().is_none() {
        let short = view.map(|view| asks_for_budget(view).collect::<Vec<_>>());
        let short = short.unwrap_or_default();
        if let Some(view) = view.filter(|_| !short.is_empty()) {
            let more = budget::more(view);
            next.push((
                format!("zeph budget {run} {more}{db}"),
                "allow it more".to_owned(),
            ));
        }
        for question in &followed.questions {
            let is_plan = view.is_some_and(|view| confirm::plan_of(view, &question.task).is_some());
            if is_plan {
                next.extend(confirm::commands(run.as_str(), question.id, db));
                continue;
            }
            let line = question.text.lines().next().unwrap_or_default();
            let text = format!(
                "{}: {}",
                escape_terminal(&question.task),
                escape_terminal(line)
            );
            next.push((answer_command(run.as_str(), question, db), text));
        }
        next.push((format!("zeph resume {run}{db}"), "go on".to_owned()));
        return next;
    }
    for failure in failures.iter().take(3) {
        let name = out::quoted(&failure.task.name);
        let what = "what it was given and said".to_owned();
        next.push((format!("zeph show {run} {name}{db}"), what));
    }
    if next.is_empty() {
        next.push((format!("zeph show {run}{db}"), "the run in full".to_owned()));
    }
    next
}

fn summary_json(
    followed: &Followed,
    standing: &Standing,
    failures: &[Failure<'_>],
    next: &[(String, String)],
    exit: Exit,
    took: Duration,
) -> Value {
    let report = &followed.report;
    let counts: serde_json::Map<String, Value> = standing
        .counts
        .iter()
        .map(|(word, count)| (word.to_owned(), count.into()))
        .collect();
    let failures: Vec<Value> = (failures.iter())
        .map(|failure| {
            json!({
                "task": &*failure.task.name,
                "attempts": failure.task.attempts,
                "fault": failure.fault,
                "error": failure.said,
            })
        })
        .collect();
    let next: Vec<&String> = next.iter().map(|(command, _)| command).collect();
    let mut json = json!({
        "event": "summary",
        "run": report.run.as_str(),
        "state": standing.word,
        "exit": exit as u8,
        "counts": counts,
        "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "failures": failures,
        "questions": followed.questions,
        "spent": money::spent_json(standing.spent),
        "budget": money::budget_json(standing.budget),
        "next": next,
    });
    if let Some(reason) = &report.error {
        json["error"] = reason.as_str().into();
    }
    json
}
