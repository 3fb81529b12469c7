//! One attempt: what is known of it, and what becomes of it when it is made once more.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use zeph_executor::{
    Attempt, Budget, Executor, GraphSpec, Note, NoteKind, Parent, Redact, RunId, Spend,
    TaskContext, TaskErrorRecord, TaskId, TaskInput,
};

use super::compare::{Difference, Place};
use super::journal::Expecting;
use super::tape::{Tape, redacted, unwrapped};
use crate::agent::ENDED;
use crate::{Adopted, PromptNote, ReplyNote, ToolNote, ToolOutcome};

/// What the journal knows of an attempt that has ended by itself.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// Its name.
    pub name: String,
    /// Which attempt.
    pub attempt: Attempt,
    /// The parameters of its action.
    pub params: Value,
    /// What its parents left, in the graph's order.
    pub parents: IndexMap<String, Parent>,
    /// Its notes, in order, as they were kept: redacted.
    pub notes: Vec<Note>,
    /// What it reserved, in order, each with what the budgets left just before.
    pub reserved: Vec<(Spend, Budget)>,
    /// What the budgets left when it ended.
    pub left: Budget,
    /// The proposal that was accepted from the task, and whether from this attempt.
    pub patch: Option<(GraphSpec, bool)>,
    /// How it ended.
    pub end: RecordedEnd,
    /// Whether what it proposed asks a person again.
    pub asked_again: bool,
}

/// How a recorded attempt ended.
#[derive(Clone, Debug)]
pub enum RecordedEnd {
    /// With that output.
    Output(Value),
    /// With that error.
    Error(TaskErrorRecord),
}

/// What became of a replayed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The same notes, proposal and end.
    Same,
    /// Something differs; this is the first of it.
    Differs(Difference),
    /// It cannot be made again, and why.
    Skipped(String),
}

/// Makes a recorded attempt once more, and compares.
///
/// The executor must be one that asks only providers and tools that are [on the tape](Tape). The
/// attempt gets the recorded parameters, the recorded outputs of its parents, and a journal that grants
/// what it granted then. Compared are each note, the proposal and the end: of an output the value, of an
/// error class and code. Both sides are compared as they are after `redact`, since what was kept has
/// been redacted; it must be the redactor of the run.
///
/// What cannot be the same is not compared: the length of an answer that the budget of the moment
/// shortened, the waits that a service asked for, the length of a tool's result before it was cut.
pub async fn replay_attempt(
    executor: &dyn Executor,
    recorded: Recorded,
    tape: &Tape,
    redact: Option<Arc<dyn Redact>>,
) -> Replayed {
    if let Some(why) = why_not(&recorded) {
        return Replayed::Skipped(why);
    }
    tape.wind(&recorded, redact.as_ref());
    let input = TaskInput {
        params: recorded.params.clone(),
        parents: recorded.parents.clone(),
    };
    let end = recorded.end.clone();
    let (run, task, name) = (recorded.run.clone(), recorded.task, recorded.name.clone());
    let attempt = recorded.attempt;
    let journal = Arc::new(Expecting::new(recorded, redact.clone()));
    let cx = TaskContext::builder(run, task, name, attempt)
        .journal(Arc::clone(&journal) as Arc<_>)
        .build();
    let outcome = executor.execute(&cx, input).await;
    if journal.was_refused() {
        let why = "a proposal was refused while it ran, and why is not in the journal";
        return Replayed::Skipped(why.to_owned());
    }
    if let Some(first) = journal.first_difference() {
        return Replayed::Differs(first);
    }
    let difference = match (end, outcome) {
        (RecordedEnd::Output(then), Ok(now)) => {
            let clean = |value| redacted(redact.as_ref(), value);
            Difference::of(Place::Output, &clean(then), &clean(now.value))
        }
        (RecordedEnd::Error(then), Err(now)) => {
            let now = TaskErrorRecord::from(&now);
            let alike = (then.class, &then.code) == (now.class, &now.code);
            let told = |error: &TaskErrorRecord| format!("[{}] {}", error.code, error.message);
            (!alike).then(|| Difference::words(Place::End, &told(&then), &told(&now)))
        }
        (RecordedEnd::Output(_), Err(now)) => {
            let now = format!("[{}] {}", now.code(), now.message());
            Some(Difference::words(Place::End, "an output", &now))
        }
        (RecordedEnd::Error(then), Ok(_)) => {
            let then = format!("[{}] {}", then.code, then.message);
            Some(Difference::words(Place::End, &then, "an output"))
        }
    };
    difference.map_or(Replayed::Same, Replayed::Differs)
}

/// Why an attempt cannot be made again, if that can be told beforehand.
fn why_not(recorded: &Recorded) -> Option<String> {
    fn read<T: serde::de::DeserializeOwned>(recorded: &Recorded, kind: NoteKind) -> Vec<Option<T>> {
        let notes = recorded.notes.iter().filter(|note| note.kind == kind);
        let read = notes.map(|note| serde_json::from_slice(&note.body).ok());
        read.collect()
    }
    let prompts: Vec<Option<PromptNote>> = read(recorded, NoteKind::Prompt);
    let replies: Vec<Option<ReplyNote>> = read(recorded, NoteKind::Reply);
    for prompt in &prompts {
        let Some(prompt) = prompt else {
            return Some("a prompt of it cannot be read".to_owned());
        };
        let call = prompt.call;
        if prompt.request.is_none() {
            return Some(format!("call {call} was too long to be kept"));
        }
        let mut replies = replies.iter().flatten();
        let Some(reply) = replies.find(|reply| reply.call == call) else {
            return Some(format!("call {call} was cut off, and has no reply"));
        };
        if reply.response.is_none() && reply.error.is_none() {
            return Some(format!("the reply to call {call} was too long to be kept"));
        }
    }
    let tools: Vec<Option<ToolNote>> = read(recorded, NoteKind::Tool);
    let left_out = |note: &ToolNote| note.text.starts_with("(left out");
    if tools.iter().flatten().any(left_out) {
        return Some("a tool's result was left out of the prompt, so it was not kept".to_owned());
    }
    let ended = |note: &ToolNote| {
        note.outcome == ToolOutcome::Failed && unwrapped(&note.text).starts_with(ENDED)
    };
    if tools.iter().flatten().any(ended) {
        return Some("a tool ended it, and its error was not kept whole".to_owned());
    }
    let plans: Vec<Option<Value>> = read(recorded, NoteKind::Plan);
    if plans.iter().flatten().any(|note| note["kept"] == true) {
        return Some("its plan was kept from an earlier time, and no model was asked".to_owned());
    }
    match &recorded.end {
        RecordedEnd::Error(error) if error.code == "agent_timeout" => {
            Some("it ran out of time, and a replay takes none".to_owned())
        }
        RecordedEnd::Error(_) | RecordedEnd::Output(_) => None,
    }
}

impl Recorded {
    /// Whether what an `adopt` left says that a person is asked again.
    #[must_use]
    pub fn asks_again(output: &Value) -> bool {
        let adopted = serde_json::from_value::<Adopted>(output.clone());
        matches!(adopted, Ok(Adopted::Unclear { .. }))
    }
}
