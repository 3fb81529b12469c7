//! The journal of a replayed attempt: grants what was granted, without a wait, and compares each note.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use zeph_executor::{
    Budget, GraphSpec, Journal, Note, NoteKind, Proposal, Proposed, Redact, Reservation,
    ReservationId, ReservationRequest, Spend, TaskError,
};

use zeph_graph::TaskGraph;

use super::attempt::{RecordedAttempt, RecordedEnd};
use super::compare::{Difference, DifferenceIn};
use super::recording::unwrapped;
use crate::agent::{END_UNKNOWN, ToolCallNote, ToolNote, ToolOutcome};
use crate::call::GroupsNote;
use crate::plan::Adopted;
use crate::{PromptNote, ReplyNote};

/// A journal that expects the recorded notes and proposal.
pub(super) struct ReplayJournal {
    recorded: RecordedAttempt,
    /// The reservation of each call.
    reservations: Vec<Reservation>,
    redact: Option<Arc<dyn Redact>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    reserved: usize,
    /// The number of notes of each kind, by the name of the kind.
    notes: BTreeMap<&'static str, usize>,
    proposed: usize,
    /// The recorded attempt had a refused proposal, and the journal does not contain the reason.
    refused: bool,
    first: Option<Difference>,
}

impl ReplayJournal {
    pub(super) fn new(recorded: RecordedAttempt, redact: Option<Arc<dyn Redact>>) -> Self {
        let prompts = recorded.notes_of::<PromptNote>(NoteKind::Prompt).flatten();
        let reservations = (1..).zip(prompts).map(|(id, prompt)| Reservation {
            id: ReservationId::new(id).unwrap_or(ReservationId::FIRST),
            amount: Spend {
                tokens: prompt.reserved.tokens,
                micro_usd: prompt.reserved.micro_usd,
            },
            left: prompt.left,
        });
        Self {
            reservations: reservations.collect(),
            recorded,
            redact,
            seen: Mutex::default(),
        }
    }

    /// The first difference, after the attempt. A recorded note without a replayed one is a difference.
    pub(super) fn first_difference(&self) -> Option<Difference> {
        let mut seen = self.seen();
        if let Some(first) = seen.first.take() {
            return Some(first);
        }
        let mut numbers = BTreeMap::new();
        for note in &self.recorded.notes {
            if note.kind == NoteKind::ToolCall {
                continue;
            }
            let (kind, number) = (note.kind, numbers.entry(note.kind.name()).or_insert(0));
            *number += 1;
            if seen.notes.get(kind.name()).is_none_or(|seen| seen < number) {
                let number = *number;
                let place = DifferenceIn::Note { kind, number };
                return Some(Difference::words(place, "there", "absent"));
            }
        }
        let own = self.recorded.patches.iter().filter(|(_, is_own)| *is_own);
        (own.count() > seen.proposed)
            .then(|| Difference::words(DifferenceIn::Proposal, "there", "absent"))
    }

    /// Whether a proposal was refused in the recorded attempt.
    pub(super) fn was_refused(&self) -> bool {
        self.seen().refused
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The difference between a note and the recorded one of that number.
    fn compare(&self, note: &Note, number: usize) -> Option<Difference> {
        let kind = note.kind;
        let place = DifferenceIn::Note { kind, number };
        let mut notes = self.recorded.notes.iter().filter(|one| one.kind == kind);
        let Some(recorded) = notes.nth(number - 1) else {
            return Some(Difference::words(place, "absent", "there"));
        };
        let body = match &self.redact {
            Some(redact) => redact.redact(&note.body),
            None => (&*note.body).into(),
        };
        if *recorded.body == *body {
            return None;
        }
        let read = |bytes: &[u8]| match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => value,
            Err(_) => String::from_utf8_lossy(bytes).into(),
        };
        let (mut old, mut new) = (read(&recorded.body), read(&body));
        for value in [&mut old, &mut new] {
            ignore(kind, value);
        }
        Difference::between(place, &old, &new)
    }
}

/// Removes what may differ.
///
/// - The last call of a run may have had less time, and a replay does not wait.
/// - A difference in a hash shows in the request or in the answer.
/// - The size of a tool's result before it was cut is not recorded.
fn ignore(kind: NoteKind, value: &mut Value) {
    let (object, keys): (&str, &[&str]) = match kind {
        NoteKind::Prompt => ("/request", &["timeout"]),
        NoteKind::Reply => ("/error", &["retry_after_ms"]),
        NoteKind::Tool => ("", &["bytes"]),
        NoteKind::ToolCall
        | NoteKind::Route
        | NoteKind::Plan
        | NoteKind::Answer
        | NoteKind::Check
        | NoteKind::Process => return,
    };
    if let Some(fields) = value.pointer_mut(object).and_then(Value::as_object_mut) {
        for key in keys {
            fields.remove(*key);
        }
    }
    if let Some(fields) = value.as_object_mut() {
        fields.remove("hash");
        fields.remove("response_hash");
    }
}

#[async_trait]
impl Journal for ReplayJournal {
    async fn reserve_up_to(&self, request: ReservationRequest) -> Result<Reservation, TaskError> {
        let mut seen = self.seen();
        let Some(&recorded) = self.reservations.get(seen.reserved) else {
            return Err(TaskError::over_budget(request.least, self.recorded.left));
        };
        seen.reserved += 1;
        Ok(recorded)
    }

    async fn settle(&self, _: ReservationId, _: Spend) -> Result<(), TaskError> {
        // The note of the reply contains the cost.
        Ok(())
    }

    async fn left(&self) -> Result<Budget, TaskError> {
        let index = self.seen().reserved;
        let recorded = self.reservations.get(index);
        Ok(recorded.map_or(self.recorded.left, |recorded| recorded.left))
    }

    async fn note(&self, note: Note) -> Result<(), TaskError> {
        // Calls of one turn end in any order, and the notes of the turn have their results.
        if note.kind == NoteKind::ToolCall {
            return Ok(());
        }
        let mut seen = self.seen();
        let number = seen.notes.entry(note.kind.name()).or_insert(0);
        *number += 1;
        let number = *number;
        if seen.first.is_none() {
            seen.first = self.compare(&note, number);
        }
        Ok(())
    }

    /// What the recorded attempt took from interrupted ones.
    async fn interrupted(&self) -> Result<Vec<Note>, TaskError> {
        let notes = self
            .recorded
            .notes
            .iter()
            .filter_map(|note| match note.kind {
                NoteKind::Reply => {
                    let reply: ReplyNote = serde_json::from_slice(&note.body).ok()?;
                    reply.reused.then(|| note.clone())
                }
                NoteKind::Tool => {
                    let tool: ToolNote = serde_json::from_slice(&note.body).ok()?;
                    if tool.reused {
                        return Some(note.clone());
                    }
                    let begun = ToolCallNote {
                        key: tool.key,
                        call_id: tool.call_id,
                        name: tool.name,
                        ended: None,
                    };
                    // The call of an interrupted attempt.
                    let is_unknown = tool.outcome == ToolOutcome::Unknown
                        && !unwrapped(&tool.text).ends_with(END_UNKNOWN);
                    is_unknown.then(|| Note::json(NoteKind::ToolCall, &begun).ok())?
                }
                NoteKind::Answer => {
                    let groups: GroupsNote = serde_json::from_slice(&note.body).ok()?;
                    groups.reused.then(|| note.clone())
                }
                NoteKind::ToolCall
                | NoteKind::Prompt
                | NoteKind::Route
                | NoteKind::Plan
                | NoteKind::Check
                | NoteKind::Process => None,
            });
        Ok(notes.collect())
    }

    async fn proposed(&self) -> Result<Proposed, TaskError> {
        let own = self.seen().proposed;
        let before = self.recorded.patches.iter().filter(|(_, is_own)| !*is_own);
        let count = before.clone().count() + own;
        let patches = self.recorded.patches.iter().take(count);
        let graph = patches.fold(GraphSpec::default(), |mut graph, (patch, _)| {
            graph.lanes.clone_from(&patch.lanes);
            graph.tasks.extend(patch.tasks.iter().cloned());
            graph
        });
        // As the graph of the run had them.
        let graph = TaskGraph::try_from(graph);
        let tasks = graph.map_or_else(|_| Vec::new(), |graph| GraphSpec::from(&graph).tasks);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        // What an earlier attempt took back is not recorded with this one.
        let gone = Vec::new();
        Ok(Proposed { count, tasks, gone })
    }

    async fn propose_after(&self, earlier: u32, patch: GraphSpec) -> Result<Proposal, TaskError> {
        let mut seen = self.seen();
        let Some((then, is_own)) = self.recorded.patches.get(earlier as usize) else {
            seen.refused = true;
            return Err(refused());
        };
        let json = |patch: &GraphSpec| serde_json::from_str::<Value>(&patch.to_json());
        let (Ok(old), Ok(new)) = (json(then), json(&patch)) else {
            return Ok(Proposal::Already);
        };
        let difference = Difference::between(DifferenceIn::Proposal, &old, &new);
        if difference.is_some() && asked_again(&self.recorded.end) {
            seen.refused = true;
            return Err(refused());
        }
        seen.proposed += usize::from(*is_own);
        if seen.first.is_none() {
            seen.first = difference;
        }
        Ok(if *is_own {
            Proposal::Added
        } else {
            Proposal::Already
        })
    }
}

/// Whether the output of an `adopt` says that the person is asked again.
fn asked_again(end: &RecordedEnd) -> bool {
    let RecordedEnd::Output(output) = end else {
        return false;
    };
    let adopted = serde_json::from_value::<Adopted>(output.clone());
    matches!(adopted, Ok(Adopted::Unclear { .. }))
}

fn refused() -> TaskError {
    TaskError::permanent("the recorded attempt has no such proposal").with_code("proposal_refused")
}
