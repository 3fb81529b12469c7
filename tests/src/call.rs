//! Call: an input or a call of the attempt API, and the reply of the scheduler.

use zeph_graph::wire::{Diagnostics, GraphSpec};
use zeph_graph::{Attempt, Budget, ContentId, ReservationId, Spend, TaskGraph, TaskId, Timestamp};
use zeph_scheduler::{Amendment, ByHand, Input, InputOutcome, Proposer, Refusal, Scheduler};

/// A call of the scheduler.
#[derive(Clone, Debug)]
pub enum Call {
    /// An input.
    Input(Input),
    /// An attempt reserves a part of the budget.
    Reserve {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// The most that it may spend.
        most: Spend,
    },
    /// An attempt settles a reservation.
    Settle {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// The reservation.
        reservation: ReservationId,
        /// The amount spent.
        spent: Spend,
    },
    /// An attempt records a note.
    Note {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// The note.
        content: ContentId,
    },
    /// A person amends the graph.
    AmendByHand {
        /// The person, and the number of amendments for which the patch was made.
        by_hand: ByHand,
        /// The content of the patch.
        content: ContentId,
        /// The patch.
        patch: Box<Patch>,
    },
    /// An attempt proposes a patch.
    Amend {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// The number of patches of the task that it follows.
        after: u32,
        /// The content of the patch.
        content: ContentId,
        /// The patch.
        patch: Box<Patch>,
    },
}

/// A patch, and the graph that it must lead to.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The patch.
    pub spec: GraphSpec,
    /// The grown graph, built without the scheduler; `None` if the patch is invalid.
    pub grown: Option<TaskGraph>,
}

/// The reply of the scheduler, or of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallReply {
    /// Applied.
    Accepted,
    /// Stale.
    Stale,
    /// An answer that the question does not accept.
    Rejected,
    /// The reservation is recorded with this number.
    Reserved(ReservationId),
    /// The reservation is refused; the budgets leave this much.
    OverBudget(Budget),
    /// The graph has grown: the first new task and their number.
    Added(TaskId, u32),
    /// A patch of this task was accepted before.
    Already,
    /// The patch was made for another graph; the run has so many amendments.
    Outdated(u32),
    /// The patch is invalid.
    Refused,
}

impl CallReply {
    /// Whether the state must be unchanged.
    #[must_use]
    pub const fn changes_nothing(self) -> bool {
        match self {
            Self::Accepted | Self::Reserved(_) | Self::Added(..) => false,
            Self::Stale
            | Self::Rejected
            | Self::OverBudget(_)
            | Self::Already
            | Self::Outdated(_)
            | Self::Refused => true,
        }
    }
}

impl From<InputOutcome> for CallReply {
    fn from(reception: InputOutcome) -> Self {
        match reception {
            InputOutcome::Accepted => Self::Accepted,
            InputOutcome::Stale => Self::Stale,
            InputOutcome::Rejected => Self::Rejected,
        }
    }
}

impl Call {
    /// Calls the scheduler.
    pub fn to(&self, machine: &mut Scheduler, now: Timestamp) -> CallReply {
        match *self {
            Self::Input(input) => machine.handle(now, input).into(),
            Self::Reserve {
                task,
                attempt,
                most,
            } => match machine.reserve(now, task, attempt, most) {
                Ok(reservation) => CallReply::Reserved(reservation),
                Err(Refusal::OverBudget { left }) => CallReply::OverBudget(left),
                Err(_) => CallReply::Stale,
            },
            Self::Settle {
                task,
                attempt,
                reservation,
                spent,
            } => machine
                .settle(now, task, attempt, reservation, spent)
                .into(),
            Self::Note {
                task,
                attempt,
                content,
            } => machine.note(now, task, attempt, content).into(),
            Self::AmendByHand {
                by_hand,
                content,
                ref patch,
            } => amended(&machine.amend_by_hand(now, by_hand, content, &patch.spec)),
            Self::Amend {
                task,
                attempt,
                after,
                content,
                ref patch,
            } => {
                let proposer = Proposer {
                    task,
                    attempt,
                    after,
                };
                amended(&machine.amend(now, proposer, content, &patch.spec))
            }
        }
    }
}

fn amended(amendment: &Result<Amendment, Diagnostics>) -> CallReply {
    match *amendment {
        Ok(Amendment::Added { first, tasks }) => CallReply::Added(first, tasks),
        Ok(Amendment::AlreadyAmended) => CallReply::Already,
        Ok(Amendment::Outdated { amendments }) => CallReply::Outdated(amendments),
        Ok(Amendment::Stale) => CallReply::Stale,
        Err(_) => CallReply::Refused,
    }
}
