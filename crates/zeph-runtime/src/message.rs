//! Messages: everything that the engine's task is sent.

use tokio::sync::{mpsc, oneshot};
use zeph_executor::{Note, Proposal, Proposed, ReservationRequest, TaskError};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{Attempt, Budget, ReservationId, RunId, Spend, TaskId};
use zeph_memory::RequestId;
use zeph_scheduler::InputOutcome;

use crate::active_run::ActiveRun;
use crate::error::RuntimeError;
use crate::growing_log::SavedLog;
use crate::inbox::PostedRequest;
use crate::request::AttributedRequest;
use crate::waiting_reservations::Granted;

/// Runs are served in the order of their keys: the one that was opened first comes first.
pub(crate) type Key = u64;

/// The outcome of a request.
pub(crate) type Outcome = Result<InputOutcome, RuntimeError>;

/// Answered when the consequences of a request are saved.
pub(crate) type Ack = oneshot::Sender<Outcome>;

/// An outcome that is sent once all decisions are saved that it may follow from.
pub(crate) type PendingReply = (Ack, Outcome);

/// Reads an active run in the engine's task.
pub(crate) type Inspect = Box<dyn FnOnce(&ActiveRun) + Send>;

pub(crate) enum Message {
    Open {
        active: Box<ActiveRun>,
        is_resume: bool,
        requests: Vec<PostedRequest>,
        ack: Ack,
    },
    /// Reserves the slot of a run that is about to be read from the store.
    ReserveSlot { run: RunId, ack: Ack },
    /// Releases such a slot.
    ReleaseSlot { run: RunId },
    /// Asks whether the run is active or being opened here.
    Find { run: RunId, ack: Ack },
    Request {
        run: RunId,
        request: AttributedRequest,
        ack: Ack,
    },
    /// Reads the state of an active run. The closure is dropped if there is no such run.
    Inspect { run: RunId, read: Inspect },
    /// Reads the inbox of an active run, because this request was posted while the run was being opened.
    ReadInbox {
        run: RunId,
        posted: RequestId,
        ack: Ack,
    },
    /// Reads the inboxes of all active runs, because the news about some were missed.
    ReadInboxes,
    /// The inbox that was read for [`ReadInbox`](Self::ReadInbox).
    Inbox {
        run: RunId,
        requests: Vec<PostedRequest>,
        posted: RequestId,
        ack: Ack,
    },
    /// The logs of running attempts so far.
    LogsRendered(Vec<SavedLog>),
    /// An attempt has given no sign of life for its idle time-out.
    Idle(AttemptRef),
    /// A journal request of a running attempt.
    Journal {
        from: AttemptRef,
        request: JournalRequest,
    },
}

/// Sends a message about a run to the engine, and waits for the reply.
///
/// # Errors
/// [`RuntimeError::Gone`] if the engine has ended, or drops the message.
pub(crate) async fn call<T>(
    engine: &mpsc::Sender<Message>,
    run: &RunId,
    message: impl FnOnce(oneshot::Sender<T>) -> Message,
) -> Result<T, RuntimeError> {
    let gone = || RuntimeError::Gone { run: run.clone() };
    let (reply, replied) = oneshot::channel();
    let sent = engine.send(message(reply)).await;
    sent.map_err(|_| gone())?;
    replied.await.map_err(|_| gone())
}

/// The attempt that a journal request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptRef {
    pub(crate) key: Key,
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
}

/// Resolves when the consequences of a journal request are saved, or its run has been unloaded.
pub(crate) type Saving = oneshot::Receiver<Result<InputOutcome, RuntimeError>>;

/// The decision about a journal request, and what to await before it counts; `None` if there is
/// nothing to save.
pub(crate) type JournalReply<T> = Result<(T, Option<Saving>), TaskError>;

/// Where the reply to a reservation is awaited. Closed when the caller has dropped its future.
pub(crate) type ReservationReply = oneshot::Sender<JournalReply<Granted>>;

pub(crate) enum JournalRequest {
    /// May wait for other reservations.
    Reserve(ReservationRequest, ReservationReply),
    Settle(ReservationId, Spend, oneshot::Sender<JournalReply<()>>),
    BudgetLeft(oneshot::Sender<JournalReply<Budget>>),
    Note(Note, oneshot::Sender<JournalReply<()>>),
    /// After that many proposals of the task.
    Propose(u32, Box<GraphSpec>, oneshot::Sender<JournalReply<Proposal>>),
    Proposed(oneshot::Sender<JournalReply<Proposed>>),
    /// Tasks that the task has proposed, and the reason.
    Withdraw(Vec<String>, String, oneshot::Sender<JournalReply<()>>),
}
