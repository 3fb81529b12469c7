//! A task in full: its definition, its inputs, its attempts, its result, its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use zeph_common::format_duration;
use zeph_executor::{Artifact, Bytes, TaskOutput};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{
    AttemptOutcome, ContentId, CutWhy, Entry, Fault, Record, RunId, SuppliedWhy, TaskId, Timestamp,
    Work,
};
use zeph_memory::RawGraphStore;
use zeph_orchestration::plan::command_input;
use zeph_planner::answer::Answer;
use zeph_planner::plan::{ANSWER, PLAN, PlanOutput};
use zeph_runtime::{AttemptView, NoteView, RetryPlan, RunView, value_text};
use zeph_scheduler::Event;

use super::{notes, value};
use crate::context::command_with;
use crate::exit::CliError;
use crate::goal::shown::Proposal;
use crate::out::Tone;
use crate::read::answers::Answers;
use crate::read::failure::{self, Errors};
use crate::read::money::{spent_json, spent_of};
use crate::read::page::{Cell, Page};
use crate::read::time::{moment, took};
use crate::read::time_breakdown::TimeBreakdown;
use crate::read::{artifact, explain, rules};

pub(super) struct ShowView<'a> {
    view: &'a RunView,
    /// The process that works on the run.
    owner: Option<&'a str>,
    time_breakdown: &'a TimeBreakdown,
    task: TaskId,
    attempts: Vec<AttemptView>,
    /// Why it has the result of an earlier run, and which run made it.
    supplied: Option<(SuppliedWhy, Option<RunId>)>,
    /// Why the task does not run according to its last preparation.
    unprepared: Option<ContentId>,
    errors: Errors,
    logs: BTreeMap<ContentId, Vec<(String, Bytes)>>,
    output: Option<Arc<TaskOutput>>,
    notes: Vec<NoteView>,
    answers: Answers,
    /// What the attempts of a command got.
    input: Option<Value>,
}

impl<'a> ShowView<'a> {
    pub(super) async fn read(
        store: &dyn RawGraphStore,
        view: &'a RunView,
        owner: Option<&'a str>,
        time_breakdown: &'a TimeBreakdown,
        task: TaskId,
    ) -> Result<Self, CliError> {
        let attempts = view.attempts(task);
        let of_task = view.entries.iter().rev();
        let mut of_task = of_task.filter(|entry| entry.record.task() == Some(task));
        let unprepared = of_task.find_map(|entry| {
            if let Record::PrepareFailed { error, .. } = entry.record {
                error
            } else {
                None
            }
        });
        let errors = attempts.iter().filter_map(|attempt| attempt.error);
        let ids: Vec<_> = errors.chain(unprepared).collect();
        let errors = failure::read(store, &view.run, &ids).await?;
        let mut logs = BTreeMap::new();
        for id in attempts.iter().filter_map(|attempt| attempt.log) {
            logs.insert(id, view.logs(store, id).await?);
        }
        Ok(Self {
            view,
            owner,
            time_breakdown,
            task,
            attempts,
            supplied: view.supplied(store, task).await?,
            unprepared,
            errors,
            logs,
            output: view.output(store, task).await?,
            notes: view.notes(store, task).await?,
            answers: Answers::read(store, view).await?,
            input: command_input(store, view, task).await?,
        })
    }

    fn state(&self) -> String {
        let error = self.time_breakdown.task(self.task).error;
        let error = error.and_then(|id| self.errors.get(&id));
        explain::state_with(self.view, self.task, error)
    }

    pub(super) fn render(&self, page: &mut Page, now: Timestamp) {
        let view = self.view;
        let definition = view.graph().task(self.task);
        let (name, state) = (definition.name(), self.state());
        let tone = Tone::of_state(view.scheduler.task(self.task).state().word());
        page.painted_line(&[
            (Tone::Heading, &format!("{name} of run {}: ", view.run)),
            (tone, &state),
        ]);
        page.fact("does", rules::work(definition));
        if let Some(from) = self.result_from() {
            page.fact("result", from);
        }
        let item = view.graph().item(self.task);
        if let Some((of, index)) = item {
            let of = explain::name(view, of);
            page.fact("item", format!("{index} of the list of {of}"));
        }
        if let Some(user) = view.graph().fallback_of(self.task) {
            let user = explain::name(view, user);
            page.fact("fallback", format!("it runs if {user} fails"));
        }
        // What the failure of an item does is a rule of its task.
        let is_own = |name: &str| item.is_none() || name != "on failure";
        let own = rules::changed(view.graph(), definition).into_iter();
        for (name, text) in own.filter(|(name, _)| is_own(name)) {
            page.fact(name, text);
        }
        let times = self.time_breakdown.task(self.task);
        for (phase, spent) in times.phases() {
            if !spent.is_zero() {
                page.fact(phase, took(spent));
            }
        }
        let spent = view.scheduler.spent_by(self.task);
        if let Some(spent) = spent_of(spent, definition.rules().budget) {
            page.fact("spent", spent);
        }
        self.render_inputs(page);
        self.render_attempts(page, now);
        self.render_output(page);
        page.heading("Records");
        // Notes and spending are shown with their attempts.
        let shown = self.records().filter(|entry| !is_of_a_call(entry));
        let rows: Vec<_> = shown.map(|entry| self.record_row(entry, now)).collect();
        page.table(2, &[], &rows);
        let command = |what: &str| command_with(&[what, view.run.as_str()], &[name]);
        let mut next = vec![command("why")];
        if self
            .output
            .iter()
            .any(|output| output.artifacts().next().is_some())
        {
            next.push(command("artifact"));
        }
        if !self.logs.is_empty() {
            next.push(command("logs"));
        }
        page.next(&next);
    }

    /// The run whose result the task has, if it did not run here.
    fn supplied_by(&self) -> Option<&str> {
        let (_, run) = self.supplied.as_ref()?;
        run.as_ref().map(RunId::as_str)
    }

    /// Where the result of a task is from that did not run here.
    fn result_from(&self) -> Option<String> {
        let (why, run) = self.supplied.as_ref()?;
        let run = run.as_ref().map_or("?", RunId::as_str);
        Some(match why {
            SuppliedWhy::Kept if self.is_given() => {
                format!("given by hand, in a fork of run {run}")
            }
            SuppliedWhy::Kept => format!("taken over from run {run}"),
            SuppliedWhy::Cached => format!("cached: made by run {run} from the same input files"),
            SuppliedWhy::SameInputs => format!("kept: its inputs are those of run {run}"),
        })
    }

    /// Whether `zeph fork --set` gave the result.
    fn is_given(&self) -> bool {
        let metadata = self.view.graph().metadata();
        let names = metadata.get(RetryPlan::GIVEN_KEY).map(String::as_str);
        let names: Vec<String> = serde_json::from_str(names.unwrap_or("[]")).unwrap_or_default();
        let name = self.view.graph().task(self.task).name();
        names.iter().any(|given| given == name)
    }

    fn render_inputs(&self, page: &mut Page) {
        let view = self.view;
        let parents = view.graph().parents(self.task);
        if !parents.is_empty() {
            page.heading("Needs");
            let row = |&id: &TaskId| {
                let tone = Tone::of_state(view.scheduler.task(id).state().word());
                let state = Cell::new(tone, explain::state(view, id));
                vec![explain::name(view, id).to_owned().into(), state]
            };
            page.table(2, &[], &parents.iter().map(row).collect::<Vec<_>>());
        }
        if let Some(input) = &self.input {
            page.heading("Input of each attempt");
            value::render_parameters(page, 2, input);
        } else if let Work::Action { params, .. } = view.graph().task(self.task).work()
            && !params.is_none()
        {
            page.heading("Parameters");
            let text = || Value::from(params.json_text());
            let params = params.to_value().unwrap_or_else(|_| text());
            value::render_parameters(page, 2, &params);
        }
    }

    fn render_attempts(&self, page: &mut Page, now: Timestamp) {
        if let Some(error) = self.unprepared.and_then(|id| self.errors.get(&id)) {
            page.heading("Preparation");
            failure::render(page, 2, error);
        }
        if self.attempts.is_empty() {
            return;
        }
        page.heading("Attempts");
        for attempt in &self.attempts {
            let took = attempt.ended_at.map(|end| end.since(attempt.started_at));
            let took = took.map(|took| format!(", took {}", format_duration(took)));
            let (end, started) = (self.end_words(attempt), moment(attempt.started_at, now));
            let took = took.unwrap_or_default();
            let line = format!("{}. {end}, started {started}{took}", attempt.attempt);
            page.block(2, &line);
            if let Some(error) = attempt.error.and_then(|id| self.errors.get(&id)) {
                failure::render(page, 5, error);
            }
            let streams = self.streams(attempt).iter();
            let streams: Vec<_> = streams
                .map(|(name, bytes)| format!("{name} {} bytes", bytes.len()))
                .collect();
            if !streams.is_empty() {
                page.block(5, &format!("logged {}", streams.join(", ")));
            }
            notes::render(page, 5, &self.notes_of(attempt));
        }
    }

    /// How an attempt ended, in words; of an attempt that was asked to stop, also why.
    fn end_words(&self, attempt: &AttemptView) -> String {
        let rules = self.view.graph().task(self.task).rules();
        match (attempt.outcome, attempt.stop) {
            (None, _) if self.owner.is_none() => "interrupted: no process works on the run".into(),
            (None, _) => "not over".into(),
            (Some(AttemptOutcome::Completed(_)), _) => "completed".into(),
            // The error is shown below.
            (
                Some(AttemptOutcome::Failed {
                    fault: Fault::Error,
                    ..
                }),
                _,
            ) => "failed".into(),
            (
                Some(AttemptOutcome::Failed {
                    fault: Fault::Skipped,
                    ..
                }),
                _,
            ) => "skipped: nothing to do".into(),
            (Some(AttemptOutcome::Failed { fault, .. }), _) => {
                format!("failed: {}", fault.text(rules))
            }
            (Some(AttemptOutcome::Cut(how)), None) => how.to_string(),
            (Some(AttemptOutcome::Cut(how)), Some(why)) => {
                let why = match why {
                    CutWhy::AttemptTimeout => Fault::AttemptTimeout.text(rules),
                    CutWhy::IdleTimeout => Fault::IdleTimeout.text(rules),
                    CutWhy::TaskTimeout => Fault::TaskTimeout.text(rules),
                    CutWhy::Cancel(_) | CutWhy::Suspend | CutWhy::Override => why.to_string(),
                };
                format!("{how}: {why}")
            }
        }
    }

    fn notes_of(&self, attempt: &AttemptView) -> Vec<&NoteView> {
        let notes = self.notes.iter();
        notes
            .filter(|note| note.attempt == attempt.attempt)
            .collect()
    }

    fn render_output(&self, page: &mut Page) {
        let Some(output) = &self.output else { return };
        // Only the outputs of built-in actions are rendered by their type; a command may print any JSON.
        let definition = self.view.graph().task(self.task);
        let action = match definition.work() {
            Work::Action { name, .. } => &**name,
            Work::Milestone | Work::Question(_) => "",
        };
        if action == PLAN
            && let Ok(plan) = serde_json::from_value::<PlanOutput>(output.value.clone())
        {
            let proposal = Proposal(plan);
            page.gap();
            proposal.render(page);
            page.heading("Plan file");
            page.block(2, &proposal.0.plan_file);
            return;
        }
        page.heading("Output");
        if action == ANSWER
            && let Ok(answer) = serde_json::from_value::<Answer>(output.value.clone())
        {
            page.block(2, &answer.text);
            return;
        }
        match definition.work() {
            Work::Question(_) => page.block(2, &value_text(&output.value)),
            Work::Action { .. } | Work::Milestone => value::render(page, 2, &output.value),
        }
        for (name, bytes) in other_blobs(output) {
            page.block(2, &format!("blob {name}: {} bytes", bytes.len()));
        }
        let artifacts: Vec<Artifact> = output.artifacts().collect();
        if !artifacts.is_empty() {
            page.heading("Artifacts");
            artifact::render(page, 2, &artifacts);
        }
    }

    fn streams(&self, attempt: &AttemptView) -> &[(String, Bytes)] {
        let log = attempt.log.and_then(|id| self.logs.get(&id));
        log.map_or(&[], Vec::as_slice)
    }

    fn records(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.view.entries.iter();
        entries.filter(|entry| entry.record.task() == Some(self.task))
    }

    fn record_row(&self, entry: &Entry, now: Timestamp) -> Vec<String> {
        let begin = self.view.entries.first().map_or(entry.at, |first| first.at);
        vec![
            entry.seq.to_string(),
            format!("+{}", format_duration(entry.at.since(begin))),
            format!(
                "{}{}",
                Event::from_entry(entry, self.view.graph()),
                self.answers.words(entry, now)
            ),
        ]
    }

    pub(super) fn to_json(&self) -> Value {
        let view = self.view;
        let spec = GraphSpec::from(view.graph())
            .tasks
            .into_iter()
            .nth(self.task.index());
        let need = |&id: &TaskId| explain::task_json(view, id);
        let attempt = |attempt: &AttemptView| {
            json!({
                "attempt": attempt.attempt.get(),
                "end": end_code(attempt.outcome),
                "text": self.end_words(attempt),
                "started_at_us": attempt.started_at.as_micros(),
                "ended_at_us": attempt.ended_at.map(Timestamp::as_micros),
                "error": attempt.error.and_then(|id| self.errors.get(&id)),
                "log_bytes": sizes(self.streams(attempt).iter().map(|(name, bytes)| (name, bytes))),
                "notes": self.notes_of(attempt).into_iter().map(notes::to_json).collect::<Vec<_>>(),
            })
        };
        let record = |entry: &Entry| {
            let event = Event::from_entry(entry, view.graph());
            json!({
                "seq": entry.seq.get(),
                "at_us": entry.at.as_micros(),
                "kind": event.word(),
                "text": event.to_string(),
                "by": self.answers.actor_json(entry),
            })
        };
        let output = |output: &Arc<TaskOutput>| {
            json!({
                "value": output.value,
                "blob_bytes": sizes(other_blobs(output)),
                "artifacts": artifact::to_json(output),
            })
        };
        let output = self.output.as_ref().map(output);
        json!({
            "run": view.run.as_str(),
            "task": explain::name(view, self.task),
            "state": view.scheduler.task(self.task).state().word(),
            "text": self.state(),
            "definition": spec,
            "input": self.input,
            "supplied": self.supplied.as_ref().map(|(why, _)| why.word()),
            "supplied_by": self.supplied_by(),
            "fallback_of": view.graph().fallback_of(self.task).map(|user| explain::name(view, user)),
            "needs": view.graph().parents(self.task).iter().map(need).collect::<Vec<_>>(),
            "times": self.time_breakdown.task(self.task).to_json(),
            "spent": spent_json(view.scheduler.spent_by(self.task)),
            "preparation": self.unprepared.and_then(|id| self.errors.get(&id)),
            "attempts": self.attempts.iter().map(attempt).collect::<Vec<_>>(),
            "output": output,
            "records": self.records().map(record).collect::<Vec<_>>(),
        })
    }
}

/// Whether the record is about a model call and nothing else.
const fn is_of_a_call(entry: &Entry) -> bool {
    matches!(
        entry.record,
        Record::Reserved { .. } | Record::Settled { .. } | Record::Noted { .. }
    )
}

const fn end_code(outcome: Option<AttemptOutcome>) -> &'static str {
    match outcome {
        None => "open",
        Some(AttemptOutcome::Completed(_)) => "completed",
        Some(AttemptOutcome::Failed { fault, .. }) => fault.word(),
        Some(AttemptOutcome::Cut(how)) => how.word(),
    }
}

/// The blobs that are no artifacts.
fn other_blobs(output: &TaskOutput) -> impl Iterator<Item = (&String, &Bytes)> {
    let blobs = output.blobs.iter();
    blobs.filter(|(name, bytes)| Artifact::of_blob(name, bytes).is_none())
}

/// The sizes of named bytes.
fn sizes<'a>(parts: impl IntoIterator<Item = (&'a String, &'a Bytes)>) -> BTreeMap<&'a str, usize> {
    let parts = parts.into_iter();
    parts
        .map(|(name, bytes)| (name.as_str(), bytes.len()))
        .collect()
}
