//! A run in full: its facts, its tasks, its time breakdown, its failures.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zeph_common::{Boundary, format_duration, truncate};
use zeph_graph::{AskWhy, Output, TaskId, TaskState, Timestamp, Topology, Work};
use zeph_memory::RawGraphStore;
use zeph_runtime::{AmendmentView, RunView, executor_grace};

use crate::context::command_with;
use crate::exit::CliError;
use crate::out::Tone;
use crate::read::answers::short;
use crate::read::failure::{self, Errors};
use crate::read::list::label_words;
use crate::read::money::{budget_json, spent_json, spent_of};
use crate::read::not_started::{self, NotStarted};
use crate::read::page::{Cell, Page, change_words, count};
use crate::read::time::{micros, moment, took};
use crate::read::time_breakdown::TimeBreakdown;
use crate::read::{explain, status};

/// The failures that are shown in full.
const FAILURES: usize = 50;
/// The most tasks of the critical path that are shown.
const STEPS: usize = 20;
/// The most bytes of a text of the graph's metadata.
const FACT_BYTES: usize = 500;

pub(super) struct ShowView<'a> {
    view: &'a RunView,
    time_breakdown: &'a TimeBreakdown,
    failures: Vec<TaskId>,
    errors: Errors,
    path: Vec<TaskId>,
    not_started: Vec<NotStarted>,
    amendments: Vec<AmendmentView>,
}

impl<'a> ShowView<'a> {
    pub(super) async fn read(
        store: &dyn RawGraphStore,
        view: &'a RunView,
        time_breakdown: &'a TimeBreakdown,
    ) -> Result<Self, CliError> {
        let ids = view.graph().ids();
        let failures: Vec<TaskId> = ids.filter(|&id| has_failed(view, id)).collect();
        let failed = failures.iter().copied().take(FAILURES);
        let skipped = view.graph().ids();
        let skipped = skipped.filter(|&id| explain::is_skipped_by_executor(view, id));
        let ids: Vec<_> = failed
            .chain(skipped.take(FAILURES))
            .filter_map(|id| time_breakdown.task(id).error)
            .collect();
        let errors = failure::read(store, &view.run, &ids).await?;
        let spent = |id| time_breakdown.task(id).total();
        let shape = Topology::weighted(view.graph(), |id| micros(spent(id)));
        let mut path = shape.critical_path().to_vec();
        path.retain(|&id| !spent(id).is_zero());
        Ok(Self {
            view,
            time_breakdown,
            failures,
            errors,
            path,
            not_started: not_started::of(view),
            amendments: view.amendments(store).await?,
        })
    }

    pub(super) fn render(&self, page: &mut Page, now: Timestamp) {
        self.render_facts(page, now);
        let counted = self.not_started.iter().filter(|group| group.is_counted());
        let counted: BTreeSet<TaskId> = counted.flat_map(|group| group.tasks.clone()).collect();
        let ids = self.view.graph().ids().filter(|id| !counted.contains(id));
        let rows: Vec<Vec<Cell>> = ids.map(|id| self.row(id)).collect();
        page.gap();
        page.table(0, &["TASK", "TRIES", "QUEUED", "RAN", "STATE"], &rows);
        for group in self.not_started.iter().filter(|group| group.is_counted()) {
            page.line(group.line(self.view));
        }
        self.render_path(page);
        self.render_failures(page);
    }

    fn render_facts(&self, page: &mut Page, now: Timestamp) {
        let view = self.view;
        let state = view.scheduler.state().word().replace('_', " ");
        let tone = Tone::of_state(view.scheduler.state().word());
        page.painted_line(&[
            (Tone::Heading, &format!("run {}: ", view.run)),
            (tone, &state),
        ]);
        let goal = status::goal(view);
        if let Some(goal) = goal {
            page.fact("goal", goal);
        }
        let metadata = view.graph().metadata().iter();
        for (name, text) in metadata.filter(|(_, text)| !text.is_empty() && Some(&***text) != goal)
        {
            let text = match &**name {
                "labels" => label_words(&view.labels()),
                _ => truncate(text, FACT_BYTES, Boundary::Char).to_string(),
            };
            page.fact(&name.replace('_', " "), text);
        }
        page.fact("tasks", status::progress(view));
        page.fact("started", moment(view.created_at, now));
        let mut text = took(self.time_breakdown.took);
        let asleep = self.time_breakdown.asleep;
        if !asleep.is_zero() {
            text.push_str(&format!(
                ", and {} without a process",
                format_duration(asleep)
            ));
        }
        page.fact("took", text);
        page.fact("limits", limits(view));
        if let Some(spent) = spent_of(view.scheduler.spent(), view.scheduler.budget()) {
            page.fact("spent", spent);
        }
        let lanes = view.graph().lanes().iter();
        let lanes: Vec<_> = lanes
            .map(|lane| format!("{} {}", lane.name, lane.capacity))
            .collect();
        if !lanes.is_empty() {
            page.fact("lanes", lanes.join(", "));
        }
        for amendment in &self.amendments {
            page.fact("amended", self.amended(amendment, now));
        }
        let records = count(view.entries.len() as u64, "record");
        page.fact("journal", format!("{records}, head {}", view.head));
    }

    /// `new mail, check; replaced test by anna (process 4711), DATE: "they asked"`.
    fn amended(&self, amendment: &AmendmentView, now: Timestamp) -> String {
        let mut text = change_words(&amendment.change);
        let actor = amendment.by.as_ref();
        match (amendment.task, actor) {
            (Some(task), _) => text.push_str(&format!(" by {}", explain::name(self.view, task))),
            (None, Some(actor)) => text.push_str(&format!(" by {actor}")),
            (None, None) => {}
        }
        let posted = actor.and_then(|actor| actor.posted_at);
        text.push_str(&format!(
            ", {}",
            moment(posted.unwrap_or(amendment.at), now)
        ));
        if let Some(reason) = actor.and_then(|actor| actor.reason.as_deref()) {
            text.push_str(&format!(": {}", short(reason)));
        }
        text
    }

    fn row(&self, id: TaskId) -> Vec<Cell> {
        let times = self.time_breakdown.task(id);
        let tone = Tone::of_state(self.view.scheduler.task(id).state().word());
        vec![
            explain::name(self.view, id).to_owned().into(),
            times.attempts.to_string().into(),
            took(times.queued()).into(),
            took(times.ran()).into(),
            Cell::new(tone, explain::state_with(self.view, id, self.error(id))),
        ]
    }

    fn render_path(&self, page: &mut Page) {
        if self.path.len() < 2 {
            return;
        }
        let times = |id| self.time_breakdown.task(id);
        let total = self.path.iter().map(|&id| times(id).total()).sum();
        page.heading(format!(
            "Where the time went: {} of {} on the longest way through the tasks",
            format_duration(total),
            took(self.time_breakdown.took)
        ));
        let step = |&id: &TaskId| {
            let phases = times(id).phases();
            let other = phases.filter(|(phase, spent)| *phase != "ran" && !spent.is_zero());
            let other = other.map(|(phase, spent)| format!("{phase} {}", format_duration(spent)));
            vec![
                explain::name(self.view, id).to_owned(),
                took(times(id).ran()),
                other.collect::<Vec<_>>().join(", "),
            ]
        };
        let rows: Vec<_> = self.path.iter().take(STEPS).map(step).collect();
        page.table(2, &[], &rows);
        if self.path.len() > STEPS {
            page.block(2, &format!("and {} more", self.path.len() - STEPS));
        }
    }

    fn render_failures(&self, page: &mut Page) {
        if self.failures.is_empty() {
            return;
        }
        page.heading("Failures");
        let run = &self.view.run;
        for &id in self.failures.iter().take(FAILURES) {
            let name = explain::name(self.view, id);
            let tries = count(self.time_breakdown.task(id).attempts.into(), "attempt");
            let state = explain::state(self.view, id);
            let has_ended = self.view.scheduler.task(id).state().is_end();
            let line = if has_ended {
                format!("{name}: {state} after {tries}")
            } else {
                format!("{name}: {state}")
            };
            let tone = Tone::of_state(self.view.scheduler.task(id).state().word());
            page.painted_block(2, tone, &line);
            if let Some(error) = self.error(id) {
                failure::render(page, 4, error);
            }
            let logs = command_with(&["logs", run.as_str()], &[name]);
            page.painted_block(4, Tone::Question, &logs);
        }
        if self.failures.len() > FAILURES {
            page.block(2, &format!("and {} more", self.failures.len() - FAILURES));
        }
    }

    fn error(&self, id: TaskId) -> Option<&zeph_executor::TaskErrorRecord> {
        self.errors.get(&self.time_breakdown.task(id).error?)
    }

    pub(super) fn to_json(&self) -> Value {
        let view = self.view;
        let policy = view.scheduler.policy();
        let task = |id: TaskId| {
            let mut object = self.time_breakdown.task(id).to_json();
            object["task"] = explain::name(view, id).into();
            object["spent"] = spent_json(view.scheduler.spent_by(id));
            object["state"] = view.scheduler.task(id).state().word().into();
            object["text"] = explain::state_with(view, id, self.error(id)).into();
            let reused = view.scheduler.task(id).reused();
            object["supplied"] = json!(reused.map(|reused| reused.why.word()));
            if let Some(error) = self.error(id).filter(|_| has_failed(view, id)) {
                object["error"] = json!(error);
            }
            object
        };
        let name = |&id: &TaskId| Value::from(explain::name(view, id));
        let amendment = |amendment: &AmendmentView| {
            json!({
                "at_us": amendment.at.as_micros(),
                "added": amendment.change.added,
                "replaced": amendment.change.replaced,
                "removed": amendment.change.removed,
                "task": amendment.task.map(|id| explain::name(view, id)),
                "by": amendment.by,
            })
        };
        json!({
            "run": view.run.as_str(),
            "title": view.title,
            "state": view.scheduler.state().word(),
            "open": view.status.open,
            "created_at_us": view.created_at.as_micros(),
            "updated_at_us": view.updated_at.as_micros(),
            "took_us": micros(self.time_breakdown.took),
            "metadata": view.graph().metadata(),
            "labels": view.labels(),
            "policy": {
                "max_parallel": policy.max_parallel,
                "seed": policy.seed,
                "run_timeout_us": policy.run_timeout.map(micros),
                "cancel_grace_us": micros(executor_grace(policy.cancel_grace)),
                "suspend_grace_us": micros(policy.suspend_grace),
            },
            "lanes": view.graph().lanes().iter().map(|lane| json!({ "lane": &*lane.name, "capacity": lane.capacity })).collect::<Vec<_>>(),
            "records": view.entries.len(),
            "head": view.head,
            "counts": status::counts_json(&view.scheduler.counts()),
            "spent": spent_json(view.scheduler.spent()),
            "budget": budget_json(view.scheduler.budget()),
            "tasks": view.graph().ids().map(task).collect::<Vec<_>>(),
            "critical_path": self.path.iter().map(name).collect::<Vec<_>>(),
            "not_started": not_started::to_json(view, &self.not_started),
            "failures": self.failures.iter().map(name).collect::<Vec<_>>(),
            "questions": view.questions(),
            "amendments": self.amendments.iter().map(amendment).collect::<Vec<_>>(),
        })
    }
}

/// Whether the task failed, waits for a decision about its failure, or has a substitute value.
fn has_failed(view: &RunView, id: TaskId) -> bool {
    let is_action = matches!(view.graph().task(id).work(), Work::Action { .. });
    match view.scheduler.task(id).state() {
        TaskState::Failed { .. } | TaskState::FallingBack { .. } | TaskState::BackingOff { .. } => {
            true
        }
        TaskState::Asking { question } => {
            let mut open = view.scheduler.questions();
            open.any(|open| open.id == question && matches!(open.why, AskWhy::Failure(_)))
        }
        TaskState::Completed { .. } if view.stand_in(id).is_some() => true,
        TaskState::Completed { output } => is_action && output == Output::Definition,
        TaskState::Pending
        | TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::Mapping
        | TaskState::Canceling { .. }
        | TaskState::Skipped { .. }
        | TaskState::Canceled { .. } => false,
    }
}

fn limits(view: &RunView) -> String {
    let policy = view.scheduler.policy();
    let timeout = policy.run_timeout.map_or("no time-out".into(), |limit| {
        format!("time-out {}", format_duration(limit))
    });
    format!(
        "{} at a time, {timeout}, grace {} to cancel and {} to suspend",
        policy.max_parallel,
        format_duration(executor_grace(policy.cancel_grace)),
        format_duration(policy.suspend_grace)
    )
}
