//! The end of a run: its failures in full, a summary, and what to type next.

use std::time::Duration;

use serde_json::{Value, json};
use zeph_common::{inert, inert_block, show_duration};
use zeph_graph::{ContentId, RunState, TaskState};
use zeph_memory::RawGraphStore;
use zeph_runtime::{RunReport, RunView, TaskReport};
use zeph_scheduler::Counts;
use zeph_subagent::TaskErrorRecord;

use crate::cx::Cx;
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};
use crate::run::narrate::answer_command;
use crate::run::session::{self, Followed};

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
    is_kept: bool,
    took: Duration,
) -> Result<Exit, CliError> {
    let report = &*followed.report;
    let standing = Standing::of(store, report).await;
    let exit = match (&report.error, followed.signal) {
        (Some(_), _) => Exit::Store,
        (None, Some(signal)) => signal,
        (None, None) => Exit::of(report.state),
    };
    let failures = failures(store, report).await;
    let next = if is_kept {
        next(followed, &failures, &cx.suffix())
    } else {
        Vec::new()
    };
    if cx.json() {
        out::json(&summary_json(
            followed, &standing, &failures, &next, exit, took,
        ));
        return Ok(exit);
    }
    for failure in &failures {
        show(failure, &report.run);
    }
    let all = session::failed(report).count();
    if all > failures.len() {
        out::line(format!("… and {} more failures", all - failures.len()));
    }
    if !failures.is_empty() {
        out::line("");
    }
    out::line(summary(report, &standing, took));
    if let Some(reason) = &report.error {
        out::line(format!(
            "{} the journal could not be written: {}",
            Tone::Bad.paint("error:"),
            inert(reason)
        ));
    }
    if !is_kept && report.end().is_none() {
        out::line("  nothing of it was kept (--no-db), so it cannot be resumed");
    }
    for (why, command) in next {
        out::line(format!(
            "  {} {why}",
            Tone::Question.paint(format!("{command:<34}"))
        ));
    }
    Ok(exit)
}

async fn failures<'a>(store: &dyn RawGraphStore, report: &'a RunReport) -> Vec<Failure<'a>> {
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
    // When the store cannot be read any more, the failures are told by their kind.
    let Ok(view) = RunView::load(store, &report.run).await else {
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

fn show(failure: &Failure<'_>, run: &zeph_graph::RunId) {
    let Failure { task, fault, said } = failure;
    let name = inert(&task.name);
    out::line("");
    let message = said.as_ref().map_or(fault.as_str(), |said| &said.message);
    out::line(format!(
        "{} {name} (attempt {}): {}",
        Tone::Bad.paint("FAILED"),
        task.attempts,
        inert(message)
    ));
    let Some(said) = said else { return };
    for cause in &said.chain {
        out::line(format!("  caused by: {}", inert(cause)));
    }
    let stderr = (said.detail.as_ref())
        .and_then(|detail| detail.get("stderr_tail"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let stderr = inert_block(stderr.trim_end());
    let lines: Vec<&str> = stderr.lines().collect();
    let hidden = lines.len().saturating_sub(STDERR_LINES);
    if hidden > 0 {
        out::line(format!(
            "  │ … {hidden} lines before, see `zeph logs {run} {name}`"
        ));
    }
    for line in &lines[hidden..] {
        out::line(format!("  │ {line}"));
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
    let counts = standing.counts();
    let parts: Vec<String> = (counts.iter())
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let parts = if parts.is_empty() {
        "no tasks".to_owned()
    } else {
        parts.join(", ")
    };
    format!(
        "run {} {}: {parts} in {}",
        report.run,
        tone.paint(standing.word),
        show_duration(took)
    )
}

/// Where the run stands on disk.
struct Standing {
    word: &'static str,
    counts: Counts,
}

impl Standing {
    /// A run whose journal could not be written stands where its last save left it.
    async fn of(store: &dyn RawGraphStore, report: &RunReport) -> Self {
        if report.error.is_none() {
            return Self {
                word: report.state.word(),
                counts: report.counts,
            };
        }
        let saved = RunView::load(store, &report.run).await;
        Self {
            word: "interrupted",
            // A store that cannot be read either leaves only what was meant to be saved.
            counts: saved.map_or(report.counts, |view| view.scheduler.counts()),
        }
    }

    fn counts(&self) -> [(&'static str, u32); 10] {
        let counts = &self.counts;
        [
            ("completed", counts.completed),
            ("failed", counts.failed),
            ("skipped", counts.skipped),
            ("canceled", counts.canceled),
            ("asking", counts.asking),
            ("running", counts.running),
            ("canceling", counts.canceling),
            ("backing_off", counts.backing_off),
            ("ready", counts.ready),
            ("pending", counts.pending),
        ]
    }
}

/// What to type next, and what for.
fn next(followed: &Followed, failures: &[Failure<'_>], db: &str) -> Vec<(String, String)> {
    let report = &followed.report;
    let run = &report.run;
    let mut next = Vec::new();
    if report.end().is_none() {
        for question in &followed.questions {
            let text = format!("{}: {}", inert(&question.task), inert(&question.text));
            next.push((text, answer_command(run.as_str(), question, db)));
        }
        next.push(("go on".to_owned(), format!("zeph resume {run}{db}")));
        return next;
    }
    for failure in failures.iter().take(3) {
        let name = out::quoted(&failure.task.name);
        let what = "what it was given and said".to_owned();
        next.push((what, format!("zeph show {run} {name}{db}")));
    }
    if next.is_empty() {
        next.push(("the run in full".to_owned(), format!("zeph show {run}{db}")));
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
        .counts()
        .into_iter()
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
    let next: Vec<&String> = next.iter().map(|(_, command)| command).collect();
    let mut json = json!({
        "event": "summary",
        "run": report.run.as_str(),
        "state": standing.word,
        "exit": exit as u8,
        "counts": counts,
        "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "failures": failures,
        "questions": followed.questions,
        "next": next,
    });
    if let Some(reason) = &report.error {
        json["error"] = reason.as_str().into();
    }
    json
}
