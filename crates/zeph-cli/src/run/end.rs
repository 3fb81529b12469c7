//! The end of a run: prints its failures, its answer, a summary, and the commands to type next.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::store::Database;
use serde_json::{Value, json};
use zeph_common::{escape_terminal, escape_terminal_block, format_duration};
use zeph_graph::{Budget, Fault, Output, RunEnd, RunId, TaskState};
use zeph_orchestration::plan::plan_questions;
use zeph_orchestration::{Hook, Hooks, Orchestrator, RunReport, RunResults};
use zeph_planner::answer::Answer;
use zeph_runtime::{RetryPlan, RunView, RunsAgain, TaskReport};

use crate::context::{AppContext, command, command_with};
use crate::exit::{CliError, Exit};
use crate::out::{self, Channel, Tone};
use crate::read::not_started::{self, NotStarted};
use crate::read::page::names;
use crate::read::{money, next, status, time};
use crate::run::follow::{FollowOptions, Followed};
use crate::run::junit;

/// The most failures that are shown in full.
const MAX_FAILURES: usize = 10;
/// The most lines of stderr that a failure shows; the last ones.
const STDERR_LINES: usize = 15;

/// The end of a followed run.
struct End<'a> {
    /// The report from the store, or that of the engine if the store cannot be read any more.
    report: &'a RunReport,
    view: Option<&'a RunView>,
    /// The state of the run, or `interrupted` if the store failed or the process of the run ended.
    word: &'static str,
    budget: Budget,
    took: Duration,
    not_started: Vec<NotStarted>,
}

/// Prints how the run ended, and returns the exit code.
pub(crate) async fn print(
    cx: &AppContext,
    orchestrator: &Orchestrator,
    followed: &Followed,
    options: &FollowOptions,
    hooks: Option<&Hooks>,
    took: Duration,
) -> Result<Exit, CliError> {
    let engine = &*followed.report;
    let channel = options.channel;
    let results = orchestrator.results(&engine.run).await.ok();
    let results = results.as_ref();
    let view = results.map(RunResults::view);
    let end = End {
        report: results.map_or(engine, |results| results),
        view,
        word: match engine.error {
            None if !followed.is_interrupted => engine.state.word(),
            Some(_) | None => "interrupted",
        },
        budget: view.map_or(Budget::UNLIMITED, |view| view.scheduler.budget()),
        took,
        not_started: view.map(not_started::of).unwrap_or_default(),
    };
    let exit = match (&engine.error, followed.signal) {
        (Some(_), _) => Exit::Store,
        (None, Some(signal)) => signal,
        (None, None) if is_out_of_budget(end.report) => Exit::Budget,
        (None, None) => Exit::of(engine.state),
    };
    if let (Some(path), Some(view)) = (&options.junit, view)
        && let Err(error) = junit::write(path, view, end.report)
    {
        out::warn(escape_terminal(&error.message));
    }
    let next = options.is_kept.then(|| end.next());
    let next = next.unwrap_or_default();
    // A watcher calls none: the process of the run does.
    if let Some(hooks) = hooks {
        end.call_hooks(hooks, &next, exit);
    }
    let answer = results.and_then(|results| results.answer.as_ref());
    if cx.json() {
        let mut json = end.json(&next, exit);
        if let Some(reason) = &engine.error {
            json["error"] = reason.as_str().into();
        }
        if let Some(answer) = answer {
            json["answer"] = json!(answer);
        }
        out::json(&channel.marked(json));
        return Ok(exit);
    }
    end.render_failures(channel);
    if let Some(answer) = answer {
        render_answer(channel, answer);
    }
    end.render_rest(channel);
    channel.line(end.summary());
    if let Some(reason) = &engine.error {
        let (error, reason) = (Tone::Bad.paint("error:"), escape_terminal(reason));
        channel.line(format!("{error} the store failed: {reason}"));
    }
    if !options.is_kept && engine.end().is_none() {
        channel.line("  nothing was stored (--no-db), so the run cannot be resumed");
    }
    channel.commands(&next);
    Ok(exit)
}

/// Calls the hooks of a run that this process has ended without following it, and waits for them.
pub(crate) async fn call_hooks_of(
    cx: &AppContext,
    store: &Database,
    run: &RunId,
) -> Result<(), CliError> {
    let hooks = Hooks::new(&cx.config().hooks);
    let view = RunView::load(store, run).await?;
    let report = view.full_report(store).await?;
    let end = End {
        report: &report,
        view: Some(&view),
        word: report.state.word(),
        budget: view.scheduler.budget(),
        took: view.updated_at.since(view.created_at),
        not_started: not_started::of(&view),
    };
    end.call_hooks(&hooks, &end.next(), Exit::of(report.state));
    for failure in hooks.finish().await {
        out::warn(escape_terminal(&failure.to_string()));
    }
    Ok(())
}

/// Whether a budget stopped a task, for good or until a person decides.
fn is_out_of_budget(report: &RunReport) -> bool {
    const STOPPED: TaskState = TaskState::Failed { why: Fault::Budget };
    report.tasks.iter().any(|task| task.state == STOPPED)
        || (report.end().is_none() && report.questions.iter().any(next::asks_for_budget))
}

/// Prints the answer on stdout. Lines on the channel say what a reader should know about it.
fn render_answer(channel: Channel, answer: &Answer) {
    // Blank lines set the answer apart from the events on a terminal.
    let gap = || {
        if out::is_watched() {
            channel.line("");
        }
    };
    gap();
    let text = escape_terminal_block(answer.text.trim_end());
    out::line(channel.labelled(&text));
    gap();
    for note in answer.notes() {
        channel.line(escape_terminal(&note));
    }
}

/// Whether a failed task has its substitute value.
fn is_substituted(task: &TaskReport) -> bool {
    const SUBSTITUTED: TaskState = TaskState::Completed {
        output: Output::Definition,
    };
    task.state == SUBSTITUTED && task.attempts > 0
}

impl End<'_> {
    /// Calls the hooks for the end of the run with its summary.
    fn call_hooks(&self, hooks: &Hooks, next: &[(String, String)], exit: Exit) {
        let failed = match self.report.end() {
            Some(RunEnd::Failed | RunEnd::TimedOut) => Some(Hook::Failed),
            Some(RunEnd::Completed | RunEnd::Degraded | RunEnd::Canceled) => None,
            None => return,
        };
        for hook in failed.into_iter().chain([Hook::Ended]) {
            if hooks.has(hook) {
                hooks.call(hook, &self.report.run, &self.json(next, exit));
            }
        }
    }

    fn render_failures(&self, channel: Channel) {
        let all = self.failures().count();
        for task in self.failures().take(MAX_FAILURES) {
            channel.line("");
            self.render_failure(channel, task);
        }
        if all > MAX_FAILURES {
            channel.line(format!("… and {} more failures", all - MAX_FAILURES));
        }
        if all > 0 {
            channel.line("");
        }
    }

    /// The failures, of the items of one list the first: the line of their task names the others.
    fn failures(&self) -> impl Iterator<Item = &TaskReport> {
        let mut named = BTreeSet::new();
        self.report.failures().filter(move |task| {
            let item = self.view.and_then(|view| view.graph().item(task.id));
            item.is_none_or(|(of, _)| named.insert(of))
        })
    }

    /// What the failures led to, and what did not succeed at once.
    fn render_rest(&self, channel: Channel) {
        for task in self.substituted().take(MAX_FAILURES) {
            let name = escape_terminal(&task.name);
            let why = task.error.as_ref().map(|error| error.message.as_str());
            let why = why
                .and_then(|why| why.lines().next())
                .unwrap_or("it failed");
            let why = escape_terminal(why);
            let (word, what) = match self.stand_in(task) {
                Some(other) => {
                    let other = escape_terminal(other);
                    ("fallback", format!("{other} ran instead"))
                }
                None => ("value", "a substitute value is used".to_owned()),
            };
            let word = Tone::Warning.paint(word);
            channel.line(format!("{word} {name}: {what}: {why}"));
        }
        let (Some(view), groups) = (self.view, &self.not_started) else {
            return;
        };
        for group in groups.iter().take(MAX_FAILURES) {
            channel.line(escape_terminal(&group.line(view)));
        }
        let flaky: Vec<String> = self
            .flaky()
            .map(|task| format!("{} (attempt {})", task.name, task.attempts))
            .collect();
        if !flaky.is_empty() {
            let word = Tone::Warning.paint("flaky");
            let names = names(flaky.iter().map(String::as_str), flaky.len());
            let names = escape_terminal(&names);
            channel.line(format!("{word} completed after a failure: {names}"));
        }
    }

    /// The tasks with a substitute value in place of the result of a failed attempt.
    fn substituted(&self) -> impl Iterator<Item = &TaskReport> {
        let tasks = self.report.tasks.iter();
        tasks.filter(|task| is_substituted(task) || self.stand_in(task).is_some())
    }

    /// The name of the task whose result a task has in place of its own.
    fn stand_in(&self, task: &TaskReport) -> Option<&str> {
        let view = self.view.filter(|_| task.state.is_completed())?;
        let other = view.stand_in(task.id)?;
        Some(view.graph().task(other).name())
    }

    /// The tasks that completed with a result of their own after a failure.
    fn flaky(&self) -> impl Iterator<Item = &TaskReport> {
        self.report.tasks.iter().filter(|task| {
            let is_own = !is_substituted(task) && self.stand_in(task).is_none();
            task.state.is_completed() && task.attempt_counts.failures > 0 && is_own
        })
    }

    fn render_failure(&self, channel: Channel, task: &TaskReport) {
        let (failed, name) = (Tone::Bad.paint("FAILED"), escape_terminal(&task.name));
        let message = task.reason().unwrap_or_default();
        let attempt = match task.attempts {
            0 => String::new(),
            attempts => format!(" (attempt {attempts})"),
        };
        let message = escape_terminal_block(message.trim_end()).replace('\n', "\n  ");
        channel.line(format!("{failed} {name}{attempt}: {message}"));
        let Some(error) = &task.error else { return };
        for cause in &error.chain {
            channel.line(format!("  caused by: {}", escape_terminal(cause)));
        }
        let detail = error.detail.as_ref();
        let stderr = detail.and_then(|detail| detail.get("stderr_tail")?.as_str());
        let stderr = escape_terminal_block(stderr.unwrap_or_default().trim_end());
        let lines: Vec<&str> = stderr.lines().collect();
        let hidden = lines.len().saturating_sub(STDERR_LINES);
        if hidden > 0 {
            let command = command_with(&["logs", self.report.run.as_str()], &[&task.name]);
            channel.line(format!("  │ … {hidden} lines before, see `{command}`"));
        }
        for line in &lines[hidden..] {
            channel.line(format!("  │ {line}"));
        }
    }

    fn summary(&self) -> String {
        let tone = match self.report.end() {
            Some(RunEnd::Completed) => Tone::Good,
            Some(RunEnd::Failed | RunEnd::TimedOut) => Tone::Bad,
            Some(RunEnd::Degraded | RunEnd::Canceled) | None => Tone::Warning,
        };
        let counts = match status::counts_words(&self.report.counts) {
            counts if counts.is_empty() => "no tasks".to_owned(),
            counts => counts,
        };
        let spent = money::spent_of(self.report.spent, self.budget);
        format!(
            "run {} {}: {counts} in {}{}",
            self.report.run,
            tone.paint(self.word.replace('_', " ")),
            format_duration(self.took),
            spent.map_or_else(String::new, |spent| format!(", {spent}"))
        )
    }

    /// The commands to type next, each with its effect.
    fn next(&self) -> Vec<(String, String)> {
        let run = self.report.run.as_str();
        let with = |command: String, effect: &str| (command, effect.to_owned());
        if self.report.end().is_some() {
            let failures = self.failures().take(3).map(|failure| {
                let show = command_with(&["show", run], &[&failure.name]);
                with(show, "its input, attempts and output")
            });
            let mut next: Vec<_> = failures.collect();
            if next.is_empty() {
                next.push(with(command(&["show", run]), "the run in full"));
            }
            if self.report.end() != Some(RunEnd::Completed) && self.has_tasks_to_retry() {
                let retry = command(&["retry", run]);
                next.push(with(retry, "run again what did not complete"));
            }
            return next;
        }
        if self.report.error.is_some() && self.view.is_none() {
            // The database cannot be read, so there is nothing to continue.
            return Vec::new();
        }
        let mut next = Vec::new();
        let questions = &self.report.questions;
        if let Some(view) = self
            .view
            .filter(|view| !view.scheduler.budget().is_unlimited())
            .filter(|_| questions.iter().any(next::asks_for_budget))
        {
            let more = next::more_budget(view);
            next.push(with(more, "raise the budget"));
        }
        let plans = self.view.map(|view| plan_questions(view.graph()));
        let plans = plans.unwrap_or_default();
        for question in questions {
            if plans.contains(&question.task) {
                next.extend(next::plan_answers(run, question.id));
            } else if let Some(answer) = next::answers(run, question).into_iter().next() {
                let line = question.text.lines().next().unwrap_or_default();
                let (task, line) = (escape_terminal(&question.task), escape_terminal(line));
                next.push((answer, format!("{task}: {line}")));
            }
        }
        if self.view.is_some_and(|view| view.scheduler.is_paused()) {
            next.push(with(command(&["unpause", run]), "end the pause"));
        }
        next.push(with(command(&["resume", run]), "continue"));
        next
    }

    /// Whether a retry of the run would do anything. A task with the result of its fallback keeps it.
    fn has_tasks_to_retry(&self) -> bool {
        let Some(view) = self.view else {
            return true;
        };
        let retry = RetryPlan::new(view, None, &[], |_, _| false);
        retry.is_ok_and(|retry| retry.again().any(|(_, why)| why != RunsAgain::Finally))
    }

    fn json(&self, next: &[(String, String)], exit: Exit) -> Value {
        let failures = self.report.failures().take(MAX_FAILURES).map(|task| {
            let fault = if let TaskState::Failed { why } = task.state {
                Some(why.word())
            } else {
                None
            };
            json!({
                "task": &*task.name,
                "attempts": task.attempts,
                "fault": fault,
                "text": task.reason(),
                "error": task.error,
            })
        });
        let flaky = self
            .flaky()
            .map(|task| json!({ "task": &*task.name, "attempts": task.attempts }));
        let not_started = self
            .view
            .map(|view| not_started::to_json(view, &self.not_started));
        let next: Vec<&String> = next.iter().map(|(command, _)| command).collect();
        json!({
            "event": "summary",
            "run": self.report.run.as_str(),
            "state": self.word,
            "exit": exit as u8,
            "counts": status::counts_json(&self.report.counts),
            "duration_ms": time::micros(self.took) / 1000,
            "failures": failures.collect::<Vec<_>>(),
            "flaky": flaky.collect::<Vec<_>>(),
            "not_started": not_started,
            "questions": self.report.questions,
            "spent": money::spent_json(self.report.spent),
            "budget": money::budget_json(self.budget),
            "next": next,
        })
    }
}
