//! The doors of a run's journal for what works on its tasks: budget, notes, proposals.

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{Budget, ReservationId, Spend};

use crate::TaskError;

/// What an attempt may write into its run's journal.
///
/// Every call returns when what it did is saved, so it survives a crash from then on. A call of an
/// attempt that is no longer the current one, or of a run that has left, is an error of class
/// `Cancelled` and changes nothing.
///
/// [`double::JournalDouble`](crate::double::JournalDouble) keeps everything in memory, for tests.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Takes the most that a call may cost out of the budgets of the run and of the task.
    ///
    /// An attempt may hold several reservations. One that is still held when the attempt ends counts
    /// as spent in full, for nobody knows what was spent.
    ///
    /// # Errors
    /// [`TaskError::over_budget`] if a budget does not cover it.
    async fn reserve(&self, most: Spend) -> Result<ReservationId, TaskError>;

    /// Says what the call did cost, and gives the rest back.
    ///
    /// More than was reserved is taken as it is: it was spent. The second call for one reservation
    /// changes nothing.
    ///
    /// # Errors
    /// If the attempt is over; the reservation then counts in full.
    async fn settle(&self, reservation: ReservationId, spent: Spend) -> Result<(), TaskError>;

    /// What the budgets of the run and the task leave for this task, reservations taken off.
    ///
    /// Another task may take it in the next moment.
    ///
    /// # Errors
    /// If the attempt is over.
    async fn left(&self) -> Result<Budget, TaskError>;

    /// Keeps a note about this attempt: a prompt, a reply, a decision. Redacted by the driver.
    ///
    /// # Errors
    /// If the attempt is over, or the note is larger than 1 MiB (code `note_too_large`).
    async fn note(&self, note: Note) -> Result<(), TaskError>;

    /// Adds tasks to the run's graph, whole or not at all.
    ///
    /// A new task may need tasks of the patch and of the graph as it stands; nothing that is there
    /// already changes. Each task may have one proposal accepted; a further one, from a later attempt
    /// for example, is answered with [`Proposal::Already`] and changes nothing.
    ///
    /// # Errors
    /// Permanent, with the code `proposal_refused` and all problems as detail, if the patch does not
    /// pass the graph's door or names an action that nobody can do.
    async fn propose(&self, patch: GraphSpec) -> Result<Proposal, TaskError>;
}

/// What became of a proposal that was in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// The tasks are in the graph.
    Added,
    /// An earlier attempt of this task has made its proposal already.
    Already,
}

/// What a note is about.
///
/// Closed: whoever shows an attempt's notes knows them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// What a model was asked.
    Prompt,
    /// What it answered.
    Reply,
    /// What a tool was called with, and what it gave back.
    Tool,
    /// Who was chosen for the work, and why.
    Route,
    /// What was mended in a plan, or why it was refused.
    Plan,
    /// How results were put together.
    Answer,
}

impl NoteKind {
    /// The name in files, columns and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Reply => "reply",
            Self::Tool => "tool",
            Self::Route => "route",
            Self::Plan => "plan",
            Self::Answer => "answer",
        }
    }
}

/// Something to be kept about an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// The text, usually JSON; at most 1 MiB.
    pub body: Bytes,
}

impl Note {
    /// The most bytes of a note.
    pub const MAX_BYTES: usize = 1 << 20;

    /// A note with that text.
    #[must_use]
    pub fn new(kind: NoteKind, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { kind, body }
    }

    /// Whether the note is within [`MAX_BYTES`](Self::MAX_BYTES): what every journal asks first.
    ///
    /// # Errors
    /// Permanent, with the code `note_too_large`.
    pub fn check_size(&self) -> Result<(), TaskError> {
        let (bytes, most) = (self.body.len(), Self::MAX_BYTES);
        if bytes <= most {
            return Ok(());
        }
        let message = format!("a note has {bytes} bytes, at most {most} are kept; keep less of it");
        Err(TaskError::permanent(message).with_code("note_too_large"))
    }

    /// A note with the JSON form of a value.
    ///
    /// # Errors
    /// Permanent, with the code `unserializable_note`, if the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(kind: NoteKind, value: &T) -> Result<Self, TaskError> {
        match serde_json::to_vec(value) {
            Ok(body) => Ok(Self::new(kind, body)),
            Err(error) => Err(TaskError::permanent("a note has no JSON form")
                .with_code("unserializable_note")
                .with_source(error)),
        }
    }
}

/// No journal behind the doors: nothing is limited, nothing is kept, nothing can be proposed.
///
/// A note that is too large is refused as elsewhere.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use zeph_executor::{Journal, NoJournal, Note, NoteKind};
/// let note = |bytes: usize| NoJournal.note(Note::new(NoteKind::Prompt, vec![b'x'; bytes]));
/// assert!(note(Note::MAX_BYTES).await.is_ok());
/// let refused = note(Note::MAX_BYTES + 1).await.unwrap_err();
/// assert_eq!(refused.code(), "note_too_large");
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    async fn reserve(&self, _: Spend) -> Result<ReservationId, TaskError> {
        Ok(ReservationId::FIRST)
    }

    async fn settle(&self, _: ReservationId, _: Spend) -> Result<(), TaskError> {
        Ok(())
    }

    async fn left(&self) -> Result<Budget, TaskError> {
        Ok(Budget::UNLIMITED)
    }

    async fn note(&self, note: Note) -> Result<(), TaskError> {
        note.check_size()
    }

    async fn propose(&self, _: GraphSpec) -> Result<Proposal, TaskError> {
        Err(
            TaskError::permanent("there is no run whose graph could grow")
                .with_code("proposal_refused"),
        )
    }
}

/// Takes secrets out of what is about to be kept or shown.
///
/// The driver passes errors, panic messages, logs and notes through it: one point for all of them.
pub trait Redact: Send + Sync {
    /// The text without its secrets. The same text if there are none.
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]>;
}
