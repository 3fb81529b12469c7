//! Happening: an input, or a call through one of the journal's doors; and what a machine says to it.

use zeph_graph::wire::GraphSpec;
use zeph_graph::{Attempt, Budget, ContentId, ReservationId, Spend, TaskGraph, TaskId, Timestamp};
use zeph_scheduler::{Amendment, Input, InputOutcome, Refusal, Scheduler};

/// Something that happens to a run.
#[derive(Clone, Debug)]
pub enum Happening {
    /// An input.
    Input(Input),
    /// An attempt wants to spend something.
    Reserve {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// At most.
        most: Spend,
    },
    /// An attempt has spent something.
    Settle {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// What it had reserved.
        reservation: ReservationId,
        /// What it was.
        spent: Spend,
    },
    /// An attempt leaves a note.
    Note {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// The note.
        content: ContentId,
    },
    /// An attempt proposes a patch.
    Amend {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// Where the patch is kept.
        content: ContentId,
        /// The patch.
        patch: Box<Patch>,
    },
}

/// A patch, and what it is to make of the graph as it stands.
#[derive(Clone, Debug)]
pub struct Patch {
    /// As it is proposed.
    pub spec: GraphSpec,
    /// The graph with its tasks, put together by hand; none if there is something wrong with it.
    pub grown: Option<TaskGraph>,
}

/// What a machine, or the model, says to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It was taken into account.
    Accepted,
    /// It came too late.
    Stale,
    /// It was an answer that does not fit.
    Rejected,
    /// So much may be spent, under that number.
    Reserved(ReservationId),
    /// A budget leaves no more than this.
    OverBudget(Budget),
    /// The graph has grown by so many tasks, from that one on.
    Added(TaskId, u32),
    /// The task has proposed a patch before.
    Already,
    /// There is something wrong with the patch.
    Refused,
}

impl Said {
    /// Whether it is to have left everything as it was.
    #[must_use]
    pub const fn changes_nothing(self) -> bool {
        match self {
            Self::Accepted | Self::Reserved(_) | Self::Added(..) => false,
            Self::Stale | Self::Rejected | Self::OverBudget(_) | Self::Already | Self::Refused => {
                true
            }
        }
    }
}

impl From<InputOutcome> for Said {
    fn from(reception: InputOutcome) -> Self {
        match reception {
            InputOutcome::Accepted => Self::Accepted,
            InputOutcome::Stale => Self::Stale,
            InputOutcome::Rejected => Self::Rejected,
        }
    }
}

impl Happening {
    /// Makes it happen.
    pub fn to(&self, machine: &mut Scheduler, now: Timestamp) -> Said {
        match *self {
            Self::Input(input) => machine.handle(now, input).into(),
            Self::Reserve {
                task,
                attempt,
                most,
            } => match machine.reserve(now, task, attempt, most) {
                Ok(reservation) => Said::Reserved(reservation),
                Err(Refusal::OverBudget { left }) => Said::OverBudget(left),
                Err(_) => Said::Stale,
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
            Self::Amend {
                task,
                attempt,
                content,
                ref patch,
            } => match machine.amend(now, task, attempt, content, &patch.spec) {
                Ok(Amendment::Added { first, tasks }) => Said::Added(first, tasks),
                Ok(Amendment::Already) => Said::Already,
                Ok(Amendment::Stale) => Said::Stale,
                Err(_) => Said::Refused,
            },
        }
    }
}
