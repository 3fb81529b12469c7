//! The end of a run: its failures in full, a summary, and the commands to type next.

use std::time::Duration;

use serde_json::{Value, json};
use zeph_common::{escape_terminal, escape_terminal_block, format_duration};
use zeph_graph::{AskWhy, Budget, Fault, RunState, TaskState};
use zeph_orchestration::plan::plan_task;
use zeph_orchestration::{Orchestrator, RunReport, RunResults};
use zeph_runtime::{QuestionView, TaskReport};

use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::goal::{answer, confirm};
use crate::out::{self, Channel, Tone};
use crate::read::{hints, money};
use crate::run::event_line::answer_command;
use crate::run::follow::{FollowOptions, Followed};

/// The failures that are shown in full.
const SHOWN: usize = 10;
/// The last lines of stderr that a failure shows.
const STDERR_LINES: usize = 15;

/// The end of a followed run.
struct End<'a> {
    /// The report from the store; if that cannot be read any more, the engine's.
    report: &'a RunReport,
    results: Option<&'a RunResults>,
    /// The word for the state of the run.
    word: &'static str,
    budget: Budget,
    took: Duration,
}

/// Prints how the run ended, and returns the exit code.
pub(crate) async fn print(
    cx: &AppContext,
    orchestrator: &Orchestrator,
    followed: &Followed,
    options: FollowOptions,
    took: Duration,
) -> Result<Exit, CliError> {
    let engine = &*followed.report;
    let channel = options.channel;
    let results = orchestrator.results(&engine.run).await.ok();
    let results = results.as_ref();
    let end = End {
        report: results.map_or(engine, |results| results),
        results,
        word: match engine.error {
            None => engine.state.word(),
            Some(_) => "interrupted",
        },
        budget: results.map_or(Budget::UNLIMITED, |results| {
            results.view().scheduler.budget()
        }),
        took,
    };
    let exit = match (&engine.error, followed.signal) {
        (Some(_), _) => Exit::Store,
        (None, Some(signal)) => signal,
        (None, None) if is_out_of_budget(end.report) => Exit::Budget,
        (None, None) => Exit::of(engine.state),
    };
    let next = if options.is_kept {
        end.next(&cx.suffix())
    } else {
        Vec::new()
    };
    let answer = results.and_then(|results| results.answer.as_ref());
    if cx.json() {
        let mut json = end.json(&next, exit);
        if let Some(reason) = &engine.error {
            json["error"] = reason.as_str().into();
        }
        if let Some(answer) = answer {
            json["answer"] = serde_json::json!(answer);
        }
        out::json(&channel.marked(json));
        return Ok(exit);
    }
    for failure in end.report.failures().take(SHOWN) {
        show(channel, failure, &end.report.run);
    }
    let all = end.report.failures().count();
    if all > SHOWN {
        channel.line(format!("… and {} more failures", all - SHOWN));
    }
    if all > 0 {
        channel.line("");
    }
    if let Some(answer) = answer {
        answer::render(channel, answer);
    }
    channel.line(end.summary());
    if let Some(reason) = &engine.error {
        channel.line(format!(
            "{} the journal could not be written: {}",
            Tone::Bad.paint("error:"),
            escape_terminal(reason)
        ));
    }
    if !options.is_kept && engine.end().is_none() {
        channel.line("  nothing was stored (--no-db), so the run cannot be resumed");
    }
    channel.commands(&next);
    Ok(exit)
}

/// Whether a budget stopped a task, for good or until a person decides.
fn is_out_of_budget(report: &RunReport) -> bool {
    const STOPPED: TaskState = TaskState::Failed { why: Fault::Budget };
    report.tasks.iter().any(|task| task.state == STOPPED)
        || (report.end().is_none() && report.questions.iter().any(asks_for_budget))
}

/// Whether a question is about a task that a budget stopped.
fn asks_for_budget(question: &QuestionView) -> bool {
    question.about == AskWhy::Failure(Fault::Budget)
}

fn show(channel: Channel, task: &TaskReport, run: &zeph_graph::RunId) {
    let name = escape_terminal(&task.name);
    channel.line("");
    let message = match (&task.error, fault(task)) {
        (Some(error), _) => error.message.clone(),
        (None, fault) => fault,
    };
    channel.line(format!(
        "{} {name} (attempt {}): {}",
        Tone::Bad.paint("FAILED"),
        task.attempts,
        escape_terminal(&message)
    ));
    let Some(said) = &task.error else { return };
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

/// The kind of the failure.
fn fault(task: &TaskReport) -> String {
    if let TaskState::Failed { why } = task.state {
        return why.to_string();
    }
    task.state.word().to_owned()
}

impl End<'_> {
    fn summary(&self) -> String {
        let tone = match self.report.state {
            RunState::Ended(zeph_graph::RunEnd::Completed) => Tone::Good,
            RunState::Ended(zeph_graph::RunEnd::Failed | zeph_graph::RunEnd::TimedOut) => Tone::Bad,
            RunState::Ended(zeph_graph::RunEnd::Degraded | zeph_graph::RunEnd::Canceled)
            | RunState::Running
            | RunState::Paused
            | RunState::Waiting
            | RunState::Suspending
            | RunState::Suspended => Tone::Warning,
        };
        let counts = self.report.counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let counts = match &counts[..] {
            [] => "no tasks".to_owned(),
            counts => counts.join(", "),
        };
        let spent = money::spent_of(self.report.spent, self.budget);
        format!(
            "run {} {}: {counts} in {}{}",
            self.report.run,
            tone.paint(self.word),
            format_duration(self.took),
            spent.map_or_else(String::new, |spent| format!(", {spent}"))
        )
    }

    /// The commands to type next, each with its effect.
    fn next(&self, db: &str) -> Vec<(String, String)> {
        let run = &self.report.run;
        let view = self.results.map(RunResults::view);
        let mut next = Vec::new();
        if self.report.end().is_none() {
            let is_short = self.report.questions.iter().any(asks_for_budget);
            if let Some(view) = view.filter(|_| is_short) {
                let more = hints::more_budget(view);
                next.push((
                    format!("zeph budget {run} {more}{db}"),
                    "raise the budget".to_owned(),
                ));
            }
            for question in &self.report.questions {
                let is_plan =
                    view.is_some_and(|view| plan_task(view.graph(), &question.task).is_some());
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
            next.push((format!("zeph resume {run}{db}"), "continue".to_owned()));
            return next;
        }
        for failure in self.report.failures().take(3) {
            let name = out::quoted(&failure.name);
            let what = "its input, attempts and output".to_owned();
            next.push((format!("zeph show {run} {name}{db}"), what));
        }
        if next.is_empty() {
            next.push((format!("zeph show {run}{db}"), "the run in full".to_owned()));
        }
        next
    }

    fn json(&self, next: &[(String, String)], exit: Exit) -> Value {
        let counts = self.report.counts.iter();
        let counts: serde_json::Map<String, Value> = counts
            .map(|(word, count)| (word.to_owned(), count.into()))
            .collect();
        let failures = self.report.failures().take(SHOWN).map(|task| {
            json!({
                "task": &*task.name,
                "attempts": task.attempts,
                "fault": fault(task),
                "error": task.error,
            })
        });
        let next: Vec<&String> = next.iter().map(|(command, _)| command).collect();
        json!({
            "event": "summary",
            "run": self.report.run.as_str(),
            "state": self.word,
            "exit": exit as u8,
            "counts": counts,
            "duration_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "failures": failures.collect::<Vec<_>>(),
            "questions": self.report.questions,
            "spent": money::spent_json(self.report.spent),
            "budget": money::budget_json(self.budget),
            "next": next,
        })
    }
}
