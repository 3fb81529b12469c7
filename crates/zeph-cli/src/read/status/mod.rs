//! `zeph status`: the state of a run, its open questions and waiting tasks, and the commands to type next.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use zeph_common::{Boundary, truncate};
use zeph_graph::{Group, RunState, TaskId, TaskState, Timestamp};
use zeph_runtime::RunView;
use zeph_scheduler::Counts;

use crate::args::RunRef;
use crate::context::{AppContext, command, now};
use crate::exit::{CliError, Exit};
use crate::out::Tone;
use crate::read::answers::Answers;
use crate::read::explain::Blocked;
use crate::read::list::label_words;
use crate::read::money::{budget_json, spent_json, spent_of};
use crate::read::outside::Outside;
use crate::read::page::{self, Page, count, names};
use crate::read::time::{ago, moment};
use crate::read::{explain, next, posted};

/// The most running tasks, questions and groups that are shown.
const MOST: usize = 20;
/// The most bytes of the goal and of a question; `zeph show` has all of them.
const MAX_TEXT_BYTES: usize = 1_000;

pub(crate) async fn run(cx: &AppContext, args: &RunRef) -> Result<Exit, CliError> {
    let (store, view) = cx.load_run(args.run.as_deref()).await?;
    let status = StatusView {
        view: &view,
        outside: Outside::of(cx, &store, &view).await?,
        now: now(),
    };
    let answers = Answers::read(&store, &view).await?;
    let json = || {
        let mut json = status.to_json();
        json["answers"] = answers.to_json(&view).into();
        json["ends_by_hand"] = answers.ends_json(&view).into();
        json
    };
    Ok(page::print(cx, json, |page| status.render(page)))
}

/// The number of tasks in each state, for programs.
pub(crate) fn counts_json(counts: &Counts) -> Value {
    let mut json = json!({
        "total": counts.total(),
        "substituted": counts.substituted,
        "by_fallback": counts.by_fallback,
        "cached": counts.cached,
        "same_inputs": counts.same_inputs,
    });
    for (word, number) in counts.iter() {
        json[word] = number.into();
    }
    json
}

/// The states with tasks in them, as `3 completed (1 cached), 8 pending`.
pub(crate) fn counts_words(counts: &Counts) -> String {
    let parts = counts.iter().filter(|(_, number)| *number > 0);
    let parts = parts.map(|(word, number)| match word {
        "completed" => {
            let how = completed_how(counts).join(", ");
            match &*how {
                "" => format!("{number} completed"),
                how => format!("{number} completed ({how})"),
            }
        }
        _ => format!("{number} {}", word.replace('_', " ")),
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// How many of the completed tasks have a result that is not of an attempt of theirs, and why.
fn completed_how(counts: &Counts) -> Vec<String> {
    let value = match counts.substituted {
        1 => "with its substitute value",
        _ => "with their substitute values",
    };
    let fallback = match counts.by_fallback {
        1 => "with the result of its fallback",
        _ => "with the results of their fallbacks",
    };
    let all = [
        (counts.cached, "cached"),
        (counts.same_inputs, "kept, with the same inputs"),
        (counts.substituted, value),
        (counts.by_fallback, fallback),
    ];
    let all = all.into_iter().filter(|(number, _)| *number > 0);
    all.map(|(number, how)| format!("{number} {how}")).collect()
}

/// `12 tasks: 3 completed, 8 pending, 1 asking`.
pub(crate) fn progress(view: &RunView) -> String {
    let counts = view.scheduler.counts();
    let total = count(counts.total().into(), "task");
    match counts_words(&counts) {
        words if words.is_empty() => total,
        words => format!("{total}: {words}"),
    }
}

/// The goal of a run; a plan without one has the name of its file as the title.
pub(crate) fn goal(view: &RunView) -> Option<&str> {
    let has_none = view
        .graph()
        .metadata()
        .get("goal")
        .is_some_and(String::is_empty);
    (!has_none && !view.title.is_empty()).then_some(&*view.title)
}

struct StatusView<'a> {
    view: &'a RunView,
    outside: Outside,
    now: Timestamp,
}

impl StatusView<'_> {
    /// The state, and whether its process has ended.
    fn state(&self) -> String {
        let state = self.view.scheduler.state();
        if let Some(wait) = &self.outside.waits {
            return wait.words();
        }
        match (state, self.is_interrupted()) {
            (RunState::Running | RunState::Suspending | RunState::Paused, true) => {
                format!("{}, but no process works on it: interrupted", state.word())
            }
            _ => state.word().replace('_', " "),
        }
    }

    fn is_interrupted(&self) -> bool {
        let at_work = match self.view.scheduler.state() {
            RunState::Running | RunState::Suspending => true,
            RunState::Paused => self.view.scheduler.counts().in_flight() > 0,
            RunState::Waiting | RunState::Suspended | RunState::Ended(_) => false,
        };
        at_work && self.outside.owner.is_none()
    }

    fn render(&self, page: &mut Page) {
        let (view, now) = (self.view, self.now);
        let tone = if self.is_interrupted() {
            Tone::Warning
        } else {
            Tone::of_state(view.scheduler.state().word())
        };
        page.painted_line(&[
            (Tone::Heading, &format!("run {}: ", view.run)),
            (tone, &self.state()),
        ]);
        if let Some(goal) = goal(view) {
            let goal = truncate(goal, MAX_TEXT_BYTES, Boundary::Word);
            page.fact("goal", goal.to_string());
        }
        let labels = view.labels();
        if !labels.is_empty() {
            page.fact("labels", label_words(&labels));
        }
        if let Some(group) = Group::of(view.graph()) {
            page.fact("group", group.name());
        }
        page.fact("tasks", progress(view));
        if let Some(spent) = spent_of(view.scheduler.spent(), view.scheduler.budget()) {
            page.fact("spent", spent);
        }
        page.fact("started", moment(view.created_at, now));
        if view.status.open {
            page.fact("last moved", ago(view.updated_at, now));
            page.fact("owner", self.outside.owner.as_deref().unwrap_or("none"));
        }
        self.render_running(page);
        self.render_questions(page);
        self.render_waiting(page);
        posted::render(page, &view.requests, now);
        page.next(&self.next());
    }

    fn render_running(&self, page: &mut Page) {
        let view = self.view;
        let row = |id| {
            let task = view.scheduler.task(id);
            let since = if let TaskState::Running { since, .. } = task.state() {
                match &*ago(since, self.now) {
                    "just now" => "just started".to_owned(),
                    time => format!("since {}", time.trim_end_matches(" ago")),
                }
            } else {
                "being stopped".to_owned()
            };
            let attempt = task
                .last_attempt()
                .map(|attempt| format!("attempt {attempt}"));
            vec![
                explain::name(view, id).to_owned(),
                attempt.unwrap_or_default(),
                since,
            ]
        };
        let rows: Vec<_> = view.scheduler.in_flight().take(MOST).map(row).collect();
        if rows.is_empty() {
            return;
        }
        page.heading(if self.is_interrupted() {
            "Was running"
        } else {
            "Running"
        });
        page.table(2, &[], &rows);
        self.render_more(
            page,
            view.scheduler.counts().in_flight() as usize,
            rows.len(),
        );
    }

    fn render_questions(&self, page: &mut Page) {
        let questions = next::questions(self.view);
        if questions.is_empty() {
            return;
        }
        page.heading("Questions");
        for (question, commands) in questions.iter().take(MOST) {
            let asked = truncate(&question.text, MAX_TEXT_BYTES, Boundary::Word);
            let text = format!("{}. {}: {asked}", question.id, question.task);
            page.block(2, &text);
            if let Some(answered) = posted::answer(self.view, question.id, self.now) {
                page.block(5, &answered);
            }
            page.block(5, &format!("accepts {}", question.accepts));
            if let (Some(default), Some(at)) = (&question.default, question.default_at) {
                let when = ago(at, self.now);
                page.block(5, &format!("without an answer: {default}, {when}"));
            }
            for command in commands {
                page.painted_block(5, Tone::Question, command);
            }
        }
        self.render_more(page, questions.len(), MOST.min(questions.len()));
    }

    /// The waiting tasks, grouped by the reason.
    fn waiting(&self) -> Vec<(String, Vec<TaskId>)> {
        let view = self.view;
        let mut ready: Vec<(Blocked, Vec<TaskId>)> = Vec::new();
        let (mut again, mut answer, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let (mut lists, mut spare) = (Vec::new(), Vec::new());
        for id in view.graph().ids() {
            match view.scheduler.task(id).state() {
                TaskState::Ready => {
                    let held = explain::blocked(view, &self.outside, id);
                    match ready.iter_mut().find(|(known, _)| *known == held) {
                        Some((_, ids)) => ids.push(id),
                        None => ready.push((held, vec![id])),
                    }
                }
                TaskState::BackingOff { .. } => again.push(id),
                TaskState::Asking { .. } => answer.push(id),
                TaskState::Pending if explain::is_spare(view, id) => spare.push(id),
                TaskState::Pending => others.push(id),
                TaskState::Mapping => {
                    let items = explain::state(view, id);
                    lists.push((format!("for items, {items}"), vec![id]));
                }
                TaskState::FallingBack { to, .. } => {
                    let name = explain::name(view, to);
                    lists.push((format!("for {name}, which runs in its place"), vec![id]));
                }
                TaskState::Running { .. }
                | TaskState::Canceling { .. }
                | TaskState::Completed { .. }
                | TaskState::Failed { .. }
                | TaskState::Skipped { .. }
                | TaskState::Canceled { .. } => {}
            }
        }
        let words = |held| {
            let words = explain::blocked_words(view, &self.outside, held);
            format!("ready, {words}")
        };
        let ready = ready.into_iter().map(|(held, ids)| (words(held), ids));
        let rest = [
            ("to be tried again".to_owned(), again),
            ("for an answer".to_owned(), answer),
            ("for other tasks".to_owned(), others),
            ("in case another task fails".to_owned(), spare),
        ];
        lists
            .into_iter()
            .chain(ready)
            .chain(rest)
            .filter(|(_, ids)| !ids.is_empty())
            .collect()
    }

    fn render_waiting(&self, page: &mut Page) {
        let groups = self.waiting();
        if groups.is_empty() {
            return;
        }
        page.heading("Waiting");
        for (why, ids) in groups.iter().take(MOST) {
            let who = names(
                ids.iter().map(|&id| explain::name(self.view, id)),
                ids.len(),
            );
            page.block(2, &format!("{} {why}: {who}", ids.len()));
        }
        self.render_more(page, groups.len(), MOST.min(groups.len()));
    }

    fn render_more(&self, page: &mut Page, total: usize, shown: usize) {
        if total > shown {
            page.block(
                2,
                &format!(
                    "and {} more: `{}`",
                    total - shown,
                    command(&["show", self.view.run.as_str()])
                ),
            );
        }
    }

    /// The commands to type next.
    fn next(&self) -> Vec<String> {
        let named = |what| command(&[what, self.view.run.as_str()]);
        let resume = self.outside.owner.is_none().then(|| named("resume"));
        let scheduler = &self.view.scheduler;
        if scheduler.end().is_some() {
            return vec![named("show")];
        }
        let unpause = scheduler.is_paused().then(|| named("unpause"));
        unpause.into_iter().chain(resume).collect()
    }

    fn group_json(&self) -> Value {
        let group = Group::of(self.view.graph()).map(|group| {
            let waits = self.outside.waits.as_ref();
            json!({
                "name": group.name(),
                "on_conflict": group.on_conflict.word(),
                "waits_for": waits.map(|wait| wait.holder.as_str()),
            })
        });
        group.into()
    }

    fn to_json(&self) -> Value {
        let view = self.view;
        let name = |id: &TaskId| Value::from(explain::name(view, *id));
        let running = view.scheduler.in_flight().map(|id| {
            let task = view.scheduler.task(id);
            let mut object = json!({
                "task": explain::name(view, id),
                "state": task.state().word(),
                "attempt": task.last_attempt().map(zeph_graph::Attempt::get),
            });
            if let TaskState::Running { since, .. } = task.state() {
                object["since_us"] = since.as_micros().into();
            }
            object
        });
        let waiting = self.waiting().into_iter().map(
            |(why, ids)| json!({ "why": why, "tasks": ids.iter().map(name).collect::<Vec<_>>() }),
        );
        let (questions, commands): (Vec<_>, Vec<_>) = next::questions(view).into_iter().unzip();
        let next: Vec<String> = commands.into_iter().flatten().chain(self.next()).collect();
        json!({
            "run": view.run.as_str(),
            "title": view.title,
            "labels": view.labels(),
            "state": view.scheduler.state().word(),
            "open": view.status.open,
            "interrupted": self.is_interrupted(),
            "owner": self.outside.owner,
            "group": self.group_json(),
            "created_at_us": view.created_at.as_micros(),
            "updated_at_us": view.updated_at.as_micros(),
            "counts": counts_json(&view.scheduler.counts()),
            "spent": spent_json(view.scheduler.spent()),
            "budget": budget_json(view.scheduler.budget()),
            "running": running.collect::<Vec<_>>(),
            "questions": questions,
            "requests": posted::to_json(&view.requests),
            "waiting": waiting.collect::<Vec<_>>(),
            "next": next,
        })
    }
}
