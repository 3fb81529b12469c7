//! The journal of a replayed attempt: it grants what was granted then, and compares what it is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use zeph_executor::{
    Budget, GraphSpec, Journal, Note, NoteKind, Proposal, Redact, ReservationId, Spend, TaskError,
};
use zeph_llm::StopReason;

use super::attempt::Recorded;
use super::compare::{Difference, Place};
use crate::ReplyNote;

/// A journal that knows what comes.
pub(super) struct Expecting {
    recorded: Recorded,
    redact: Option<Arc<dyn Redact>>,
    /// The calls whose answers reached their limit.
    cut: BTreeSet<u32>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    reserved: usize,
    /// How many notes of each kind were told.
    notes: Vec<(NoteKind, usize)>,
    /// A call was shortened by the budget of the moment.
    shortened: bool,
    proposed: bool,
    /// A proposal was refused then, and why is not in the journal.
    refused: bool,
    first: Option<Difference>,
}

impl Expecting {
    pub(super) fn new(recorded: Recorded, redact: Option<Arc<dyn Redact>>) -> Self {
        let replies = recorded.notes.iter();
        let replies = replies.filter(|note| note.kind == NoteKind::Reply);
        let replies =
            replies.filter_map(|note| serde_json::from_slice::<ReplyNote>(&note.body).ok());
        let is_cut = |reply: &ReplyNote| {
            let response = reply.response.as_ref();
            response.is_some_and(|response| response.stop == StopReason::MaxTokens)
        };
        Self {
            cut: replies.filter(is_cut).map(|reply| reply.call).collect(),
            recorded,
            redact,
            seen: Mutex::default(),
        }
    }

    /// The first difference, now that the attempt is over; what was not told is one, too.
    pub(super) fn first_difference(&self) -> Option<Difference> {
        let mut seen = self.seen();
        if let Some(first) = seen.first.take() {
            return Some(first);
        }
        for (index, note) in self.recorded.notes.iter().enumerate() {
            let before = self.recorded.notes[..index].iter();
            let number = before.filter(|one| one.kind == note.kind).count() + 1;
            let told = seen.notes.iter().find(|(kind, _)| *kind == note.kind);
            if told.map_or(0, |(_, told)| *told) < number {
                let kind = note.kind;
                let place = Place::Note { kind, number };
                return Some(Difference::words(place, "there", "absent"));
            }
        }
        let proposes = matches!(self.recorded.patch, Some((_, true)));
        (proposes && !seen.proposed).then(|| Difference::words(Place::Proposal, "there", "absent"))
    }

    /// Whether a proposal was refused in the recorded attempt.
    pub(super) fn was_refused(&self) -> bool {
        self.seen().refused
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recorded note of that kind and number.
    fn note_of(&self, kind: NoteKind, number: usize) -> Option<&Note> {
        let mut notes = self.recorded.notes.iter().filter(|one| one.kind == kind);
        notes.nth(number - 1)
    }

    /// Compares a note with the recorded one. Returns whether the budget had shortened the call.
    fn compare(
        &self,
        place: Place,
        kind: NoteKind,
        pair: (&Note, &Note),
        shortened: bool,
    ) -> Compared {
        let (recorded, told) = pair;
        let told = match &self.redact {
            Some(redact) => redact.redact(&told.body),
            None => (&*told.body).into(),
        };
        if *recorded.body == *told {
            return Compared::default();
        }
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        let (Some(mut old), Some(mut new)) = (read(&recorded.body), read(&told)) else {
            let (old, new) = (
                String::from_utf8_lossy(&recorded.body),
                String::from_utf8_lossy(&told),
            );
            let (old, new) = (Value::from(old), Value::from(new));
            return Compared {
                difference: Difference::of(place, &old, &new),
                shortened: false,
            };
        };
        let shortened = level(kind, &mut old, &mut new, shortened);
        Compared {
            difference: Difference::of(place, &old, &new),
            shortened,
        }
    }
}

#[derive(Default)]
struct Compared {
    difference: Option<Difference>,
    shortened: bool,
}

/// Makes equal what may differ. Returns whether the budget had shortened the call.
///
/// - An answer may have been shortened to what the budget left then, and what it cost follows.
/// - The last call may have had less time than others, and a replay takes none.
/// - A tool's result is known as the model was told it, so its length before that is not.
/// - A replay is not told to wait.
fn level(kind: NoteKind, old: &mut Value, new: &mut Value, shortened: bool) -> bool {
    match kind {
        NoteKind::Prompt => {
            const LIMIT: &str = "/request/max_output_tokens";
            for value in [&mut *old, &mut *new] {
                let request = value.get_mut("request").and_then(Value::as_object_mut);
                if let Some(request) = request {
                    request.remove("timeout");
                }
            }
            let of = |value: &Value| value.pointer(LIMIT).and_then(Value::as_u64);
            if of(old) < of(new)
                && let (Some(then), Some(now)) =
                    (old.pointer(LIMIT).cloned(), new.pointer_mut(LIMIT))
            {
                *now = then;
                return true;
            }
        }
        NoteKind::Reply => {
            for value in [old, new] {
                if let Some(error) = value.pointer_mut("/error").and_then(Value::as_object_mut) {
                    error.remove("retry_after_ms");
                }
                if let Some(fields) = value.as_object_mut().filter(|_| shortened) {
                    fields.remove("tokens");
                    fields.remove("micro_usd");
                }
            }
        }
        NoteKind::Tool => {
            for value in [old, new] {
                if let Some(fields) = value.as_object_mut() {
                    fields.remove("bytes");
                }
            }
        }
        NoteKind::Route | NoteKind::Plan | NoteKind::Answer => {}
    }
    false
}

#[async_trait]
impl Journal for Expecting {
    async fn reserve(&self, most: Spend) -> Result<ReservationId, TaskError> {
        let mut seen = self.seen();
        let Some((then, _)) = self.recorded.reserved.get(seen.reserved) else {
            return Err(TaskError::over_budget(most, self.recorded.left));
        };
        seen.reserved += 1;
        let number = seen.reserved;
        // What differs in tokens differs in the request, whose note tells it better.
        if then.tokens == most.tokens && then.micro_usd != most.micro_usd && seen.first.is_none() {
            let place = Place::Reservation { number };
            let money = |spend: &Spend| format!("{} millionths of a dollar", spend.micro_usd);
            seen.first = Some(Difference::words(place, &money(then), &money(&most)));
        }
        let id = u32::try_from(number).ok().and_then(ReservationId::new);
        Ok(id.unwrap_or(ReservationId::FIRST))
    }

    async fn settle(&self, _: ReservationId, _: Spend) -> Result<(), TaskError> {
        // What was spent stands in the reply's note.
        Ok(())
    }

    async fn left(&self) -> Result<Budget, TaskError> {
        let index = self.seen().reserved;
        let Some((most, left)) = self.recorded.reserved.get(index) else {
            return Ok(self.recorded.left);
        };
        let call = u32::try_from(index + 1).unwrap_or(u32::MAX);
        if !self.cut.contains(&call) {
            return Ok(*left);
        }
        // Others may have given something back between the look at the budget and the reservation.
        // Whether it was the budget that cut the answer follows from what was reserved.
        let least = |left: Option<u64>, most: u32| left.map(|left| left.min(most.into()));
        Ok(Budget::new(
            least(left.tokens(), most.tokens),
            least(left.micro_usd(), most.micro_usd),
        ))
    }

    async fn note(&self, note: Note) -> Result<(), TaskError> {
        let mut seen = self.seen();
        let kind = note.kind;
        let told = seen.notes.iter_mut().find(|(one, _)| *one == kind);
        let number = match told {
            Some((_, told)) => {
                *told += 1;
                *told
            }
            None => {
                seen.notes.push((kind, 1));
                1
            }
        };
        let place = Place::Note { kind, number };
        let Some(recorded) = self.note_of(kind, number) else {
            let extra = Difference::words(place, "absent", "there");
            seen.first.get_or_insert(extra);
            return Ok(());
        };
        let compared = self.compare(place, kind, (recorded, &note), seen.shortened);
        seen.shortened |= compared.shortened;
        if seen.first.is_none() {
            seen.first = compared.difference;
        }
        Ok(())
    }

    async fn propose(&self, patch: GraphSpec) -> Result<Proposal, TaskError> {
        let mut seen = self.seen();
        let Some((then, ours)) = &self.recorded.patch else {
            seen.refused = true;
            return Err(refused());
        };
        let json = |patch: &GraphSpec| serde_json::from_str::<Value>(&patch.to_json());
        let (Ok(old), Ok(new)) = (json(then), json(&patch)) else {
            return Ok(Proposal::Already);
        };
        let difference = Difference::of(Place::Proposal, &old, &new);
        if difference.is_some() && self.recorded.asked_again {
            seen.refused = true;
            return Err(refused());
        }
        seen.proposed = true;
        if seen.first.is_none() {
            seen.first = difference;
        }
        Ok(if *ours {
            Proposal::Added
        } else {
            Proposal::Already
        })
    }
}

fn refused() -> TaskError {
    TaskError::permanent("the recorded attempt has no such proposal").with_code("proposal_refused")
}
