//! The replay of one attempt: its recorded data, and the outcome.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeph_executor::{
    Attempt, Budget, Executor, GraphSpec, Item, Note, NoteKind, Parent, Redact, RunId, TaskContext,
    TaskErrorRecord, TaskId, TaskInput,
};

use super::compare::{Difference, DifferenceIn};
use super::journal::ReplayJournal;
use super::recording::{Recording, redacted, unwrapped};
use crate::agent::{ENDED, RouteNote, ToolNote, ToolOutcome};
use crate::{PromptNote, ReplyNote};

/// An attempt that ended by itself, as the journal has it.
#[derive(Clone, Debug)]
pub struct RecordedAttempt {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// The name of the task.
    pub name: String,
    /// The number of the attempt.
    pub attempt: Attempt,
    /// The parameters of the action.
    pub params: Value,
    /// The parents with their outputs, in the order of the graph.
    pub parents: IndexMap<String, Parent>,
    /// The item, if the task is one of a list.
    pub item: Option<Item>,
    /// The error of the attempt before it.
    pub previous_error: Option<TaskErrorRecord>,
    /// The notes, in order, as they are stored: redacted.
    pub notes: Vec<Note>,
    /// The rest of the budgets at the end of the attempt.
    pub left: Budget,
    /// The accepted proposals of the task up to the end of the attempt, and whether this attempt made each.
    pub patches: Vec<(GraphSpec, bool)>,
    /// The end.
    pub end: RecordedEnd,
}

/// The end of a recorded attempt.
#[derive(Clone, Debug)]
pub enum RecordedEnd {
    /// An output.
    Output(Value),
    /// An error.
    Error(TaskErrorRecord),
}

/// The outcome of a replayed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayOutcome {
    /// The notes, the proposal and the end are the same.
    Same,
    /// The first difference.
    Differs(Difference),
    /// The attempt cannot be replayed, for this reason.
    Skipped(String),
}

impl RecordedAttempt {
    /// The notes of a kind, read as JSON; `None` for one that cannot be read.
    pub(super) fn notes_of<T: DeserializeOwned>(
        &self,
        kind: NoteKind,
    ) -> impl Iterator<Item = Option<T>> {
        let notes = self.notes.iter().filter(move |note| note.kind == kind);
        notes.map(|note| serde_json::from_slice(&note.body).ok())
    }
}

/// Repeats a recorded attempt, and compares.
///
/// The executor must call only providers and tools of the [`Recording`]. The attempt gets the recorded
/// parameters and outputs of its parents, and a journal with the recorded budgets. Compared are each
/// note, the proposal and the end: the value of an output, the class and the code of an error. Both sides
/// are compared after `redact`, which must be the redactor of the run.
///
/// Not compared are the time limit of a call, the waits that a service asked for, and the size of a
/// tool's result before it was cut.
pub async fn replay_attempt(
    executor: &dyn Executor,
    recorded: RecordedAttempt,
    recording: &Recording,
    redact: Option<Arc<dyn Redact>>,
) -> ReplayOutcome {
    if let Some(why) = why_not(&recorded) {
        return ReplayOutcome::Skipped(why);
    }
    recording.load(&recorded, redact.as_ref());
    let input = TaskInput {
        preparation: Value::Null,
        params: recorded.params.clone(),
        parents: recorded.parents.clone(),
        item: recorded.item.clone(),
        previous_error: recorded.previous_error.clone(),
    };
    let end = recorded.end.clone();
    let (run, task, name) = (recorded.run.clone(), recorded.task, recorded.name.clone());
    let attempt = recorded.attempt;
    let routes = recorded.notes_of::<RouteNote>(NoteKind::Route).flatten();
    let purpose = routes.map(|route| route.purpose).next();
    // A tool that needs an approval and has none is refused each time.
    let called = recorded.notes_of::<ToolNote>(NoteKind::Tool).flatten();
    let called = called.filter(|note| note.outcome != ToolOutcome::Refused);
    let approved = called.map(|note| note.name).collect();
    let journal = Arc::new(ReplayJournal::new(recorded, redact.clone()));
    let cx = TaskContext::builder(run, task, name, attempt)
        .journal(Arc::clone(&journal) as Arc<_>)
        .purpose(purpose.unwrap_or_default())
        .approved_tools(approved)
        .build();
    let outcome = executor.execute(&cx, input).await;
    if journal.was_refused() {
        let why =
            "a proposal was refused during the run, and the journal does not contain the reason";
        return ReplayOutcome::Skipped(why.to_owned());
    }
    if let Some(first) = journal.first_difference() {
        return ReplayOutcome::Differs(first);
    }
    let words = |error: &TaskErrorRecord| format!("[{}] {}", error.code, error.message);
    let difference = match (end, outcome.map_err(|error| TaskErrorRecord::from(&error))) {
        (RecordedEnd::Output(then), Ok(now)) => {
            let clean = |value| redacted(redact.as_ref(), value);
            Difference::between(DifferenceIn::Output, &clean(then), &clean(now.value))
        }
        (RecordedEnd::Error(then), Err(now))
            if (then.class, &then.code) == (now.class, &now.code) =>
        {
            None
        }
        (then, now) => {
            let then = match &then {
                RecordedEnd::Output(_) => "an output".to_owned(),
                RecordedEnd::Error(error) => words(error),
            };
            let now = now
                .err()
                .map_or("an output".to_owned(), |error| words(&error));
            Some(Difference::words(DifferenceIn::End, &then, &now))
        }
    };
    difference.map_or(ReplayOutcome::Same, ReplayOutcome::Differs)
}

/// Why an attempt cannot be replayed, as far as the recording shows it.
fn why_not(recorded: &RecordedAttempt) -> Option<String> {
    // A judge counts its calls from 1, like the agent before it; so a reply is that to the latest open call.
    let mut open = BTreeSet::new();
    for note in &recorded.notes {
        if note.kind == NoteKind::Prompt {
            let Ok(PromptNote { call, .. }) = serde_json::from_slice(&note.body) else {
                return Some("a prompt cannot be read".to_owned());
            };
            if !open.insert(call) {
                return Some(format!("call {call} has no reply"));
            }
        }
        let is_reply = note.kind == NoteKind::Reply;
        let reply: Option<ReplyNote> = is_reply
            .then(|| serde_json::from_slice(&note.body).ok())
            .flatten();
        if let Some(reply) = reply.filter(|reply| open.remove(&reply.call))
            && reply.response.is_none()
            && reply.error.is_none()
        {
            let call = reply.call;
            return Some(format!(
                "the reply to call {call} was too long to be stored"
            ));
        }
    }
    if let Some(call) = open.first() {
        return Some(format!("call {call} has no reply"));
    }
    for note in recorded.notes_of::<ToolNote>(NoteKind::Tool).flatten() {
        if note.left_out {
            let why = "the result of a tool was left out of the prompt and is not stored";
            return Some(why.to_owned());
        }
        if note.outcome == ToolOutcome::Failed && unwrapped(&note.text).starts_with(ENDED) {
            return Some("a tool ended it, and the full error is not stored".to_owned());
        }
    }
    let mut plans = recorded.notes_of::<Value>(NoteKind::Plan).flatten();
    if plans.any(|note| note["cached"] == true) {
        return Some("the plan came from the cache, and no model was called".to_owned());
    }
    match &recorded.end {
        RecordedEnd::Error(error) if error.code == "agent_timeout" => {
            Some("it reached its time limit, and a replay takes no time".to_owned())
        }
        RecordedEnd::Error(_) | RecordedEnd::Output(_) => None,
    }
}
