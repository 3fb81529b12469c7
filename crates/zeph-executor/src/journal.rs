//! The journal of an attempt: budget reservations, notes and proposed tasks.

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeph_graph::wire::{GraphSpec, TaskSpec};
use zeph_graph::{Budget, ReservationId, Spend};

use crate::TaskError;

/// The requests of an attempt that its run's journal records.
///
/// Every call returns once its effect is saved, so that it survives a crash. A call from an attempt
/// that is no longer the current one, or of a run that is unloaded, is an error of class `Cancelled`
/// and changes nothing.
///
/// [`double::JournalDouble`](crate::double::JournalDouble) is a journal in memory, for tests.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Reserves the cost of one call, in the budgets of the run and of the task. It may wait.
    ///
    /// - While the budgets do not cover `most`, and a reservation that is held can give something back, the
    ///   call waits, and the calls of a run are served in order. It is a wait for other work and no silence,
    ///   so it does not count towards an idle time-out.
    /// - When nothing can come back any more, the rest of the budgets is reserved, if it is at least `least`.
    /// - A reservation of an attempt that waits for another one counts as one that can come back only if it
    ///   is [independent](ReservationRequest::independent). So no two attempts wait for each other.
    /// - A call whose attempt is stopped does not wait any longer: it fails with class `Cancelled`. A dropped
    ///   future reserves nothing.
    ///
    /// An attempt may hold several reservations. One that is still held when the attempt ends counts
    /// as spent in full, since the real cost is unknown.
    ///
    /// # Errors
    /// [`TaskError::over_budget`] if a budget does not cover `least` and nothing can come back.
    async fn reserve_up_to(&self, request: ReservationRequest) -> Result<Reservation, TaskError>;

    /// Reserves exactly the most that one call can cost. Otherwise as [`reserve_up_to`](Self::reserve_up_to):
    /// it may wait.
    ///
    /// # Errors
    /// [`TaskError::over_budget`] if a budget does not cover it and nothing can come back.
    async fn reserve(&self, most: Spend) -> Result<ReservationId, TaskError> {
        let reserved = self.reserve_up_to(ReservationRequest::new(most)).await;
        reserved.map(|reservation| reservation.id)
    }

    /// Records the real cost of the call, and releases the rest of the reservation.
    ///
    /// A cost above the reservation is recorded as it is. A second call for the same reservation changes
    /// nothing.
    ///
    /// # Errors
    /// If the attempt has ended; the reservation then counts in full.
    async fn settle(&self, reservation: ReservationId, spent: Spend) -> Result<(), TaskError>;

    /// The budget that is left in the run and in the task, after open reservations.
    ///
    /// It can be less by the next call, because other tasks reserve from the same budget.
    ///
    /// # Errors
    /// If the attempt has ended.
    async fn left(&self) -> Result<Budget, TaskError>;

    /// Stores a note about this attempt: a prompt, a reply, a decision. The driver redacts it.
    ///
    /// # Errors
    /// If the attempt has ended, or the note is larger than 1 MiB (code `note_too_large`).
    async fn note(&self, note: Note) -> Result<(), TaskError>;

    /// The notes of the task's attempts that were interrupted since one ended by itself: by the end of the
    /// process, or by a suspension of the run. In order, and as they are stored: redacted.
    ///
    /// An attempt may go on from them, if what it is about to do is the same. Without an interruption there
    /// are none, so a retry after a failure starts afresh. Default: none.
    ///
    /// # Errors
    /// If the store cannot read them.
    async fn interrupted(&self) -> Result<Vec<Note>, TaskError> {
        Ok(Vec::new())
    }

    /// Adds tasks to the run's graph, atomically: the only proposal of its task.
    ///
    /// A new task can depend on tasks of the patch and of the current graph; existing tasks do not
    /// change. Only the first valid proposal of a task takes effect; a further one, for example from a
    /// later attempt, returns [`Proposal::Already`] and changes nothing.
    ///
    /// # Errors
    /// Permanent, with the code `proposal_refused` and all problems as detail, if the patch is invalid
    /// or names an action without a registered executor.
    async fn propose(&self, patch: GraphSpec) -> Result<Proposal, TaskError> {
        self.propose_after(0, patch).await
    }

    /// Adds tasks as [`propose`](Self::propose) does, for a task with several proposals.
    ///
    /// Of the proposals that follow the same number of valid ones only the first valid one takes effect. An
    /// attempt learns that number from [`proposed`](Self::proposed), and counts on.
    ///
    /// # Errors
    /// As [`propose`](Self::propose).
    async fn propose_after(&self, earlier: u32, patch: GraphSpec) -> Result<Proposal, TaskError>;

    /// The valid proposals of the task so far, of this and of earlier attempts. Default: none.
    ///
    /// # Errors
    /// If the attempt has ended.
    async fn proposed(&self) -> Result<Proposed, TaskError> {
        Ok(Proposed::default())
    }

    /// Withdraws tasks that this task has proposed: each ends as skipped, for that reason, unless it has
    /// ended; a running attempt is stopped. Other names have no effect. Default: nothing happens.
    ///
    /// A dependent of a withdrawn task follows its trigger, so it is skipped by default.
    ///
    /// # Errors
    /// If the attempt has ended.
    async fn withdraw(&self, tasks: &[String], why: &str) -> Result<(), TaskError> {
        let _ = (tasks, why);
        Ok(())
    }
}

/// The valid proposals of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proposed {
    /// Their number.
    pub count: u32,
    /// The tasks that they added, in order, as the graph has them.
    pub tasks: Vec<TaskSpec>,
    /// The names of those that were withdrawn or removed since; `tasks` does not have them.
    pub gone: Vec<String>,
}

/// What a call asks of the budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservationRequest {
    /// The most that the call can cost.
    pub most: Spend,
    /// The least that is worth a call when the budgets have no more. At most `most`.
    pub least: Spend,
    /// Whether the reservation will be settled without waiting for another reservation of its attempt.
    pub is_independent: bool,
}

impl ReservationRequest {
    /// A request for exactly `most`, whose attempt may reserve more before it settles this one.
    #[must_use]
    pub const fn new(most: Spend) -> Self {
        Self {
            most,
            least: most,
            is_independent: false,
        }
    }

    /// The same request with a smaller cost that is enough when the budgets have no more.
    #[must_use]
    pub const fn at_least(mut self, least: Spend) -> Self {
        self.least = least;
        self
    }

    /// The same request, of a call that will be settled without waiting for another reservation of its
    /// attempt: reserve, call, settle. Other calls of the attempt can then wait for it.
    #[must_use]
    pub const fn independent(mut self) -> Self {
        self.is_independent = true;
        self
    }
}

/// A reservation that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Its number within the run.
    pub id: ReservationId,
    /// What is reserved: between the least and the most that was asked for.
    pub amount: Spend,
    /// The rest of the budgets of run and task before it.
    pub left: Budget,
}

/// The outcome of a valid proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// The tasks are in the graph.
    Added,
    /// An earlier proposal of this task was accepted; this one changed nothing.
    Already,
}

/// The kind of a note.
///
/// Closed: a replay must handle every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// A request to a model.
    Prompt,
    /// A reply of a model.
    Reply,
    /// A call of a tool, and its result.
    Tool,
    /// The beginning or the end of a tool's call, before its turn has ended: for an attempt that goes on after
    /// an interruption.
    ToolCall,
    /// The choice of an agent, and the reason.
    Route,
    /// The repairs of a plan, or why it was refused.
    Plan,
    /// How results were combined into an answer.
    Answer,
    /// Whether the result was accepted: a [`Verdict`](crate::Verdict).
    Check,
    /// The process group of a command, which may outlive the process that writes the note.
    Process,
}

impl NoteKind {
    /// The name in files, columns and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Reply => "reply",
            Self::Tool => "tool",
            Self::ToolCall => "tool_call",
            Self::Route => "route",
            Self::Plan => "plan",
            Self::Answer => "answer",
            Self::Check => "check",
            Self::Process => "process",
        }
    }
}

/// A note about an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its kind.
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

    /// Checks that the note is within [`MAX_BYTES`](Self::MAX_BYTES). Every journal calls it first.
    ///
    /// # Errors
    /// Permanent, with the code `note_too_large`.
    pub fn check_size(&self) -> Result<(), TaskError> {
        let (bytes, most) = (self.body.len(), Self::MAX_BYTES);
        if bytes <= most {
            return Ok(());
        }
        let message = format!("a note has {bytes} bytes, and the limit is {most}; shorten it");
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

/// A journal for an attempt without a run: it has no budget limit, drops notes and refuses proposals.
///
/// A note that is too large is an error, as in a run.
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
    async fn reserve_up_to(&self, request: ReservationRequest) -> Result<Reservation, TaskError> {
        Ok(Reservation {
            id: ReservationId::FIRST,
            amount: request.most,
            left: Budget::UNLIMITED,
        })
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

    async fn propose_after(&self, _: u32, _: GraphSpec) -> Result<Proposal, TaskError> {
        Err(
            TaskError::permanent("there is no run with a graph to add tasks to")
                .with_code("proposal_refused"),
        )
    }
}

/// Removes secrets from text before it is stored or shown.
///
/// The driver passes all errors, panic messages, logs and notes through it.
pub trait Redact: Send + Sync {
    /// The text without its secrets; unchanged if it has none.
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]>;
}
