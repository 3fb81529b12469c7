//! Batch and actions: records to save as one append, and the actions that are allowed once they are
//! saved.

use zeph_graph::{Attempt, Entry, QuestionId, RunEnd, Seq, TaskId};

/// Records to save as one atomic append. Owned and not `Clone`: its actions are returned only when it is
/// passed to [`Scheduler::saved`](crate::Scheduler::saved).
#[derive(Debug)]
#[must_use = "a batch that is not saved loses its decisions: drop the machine and recover it"]
pub struct Batch {
    pub(crate) entries: Vec<Entry>,
    pub(crate) actions: Vec<Action>,
}

impl Batch {
    /// The records, in order, numbered without gaps. Never empty.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The number of the first record.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.entries[0].seq
    }

    /// The number of the last record.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.entries[self.entries.len() - 1].seq
    }
}

/// An action for the driver. The decision behind it is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Find out whether the task runs, and report it with [`Input::Prepared`](crate::Input::Prepared). No slot
    /// is taken. Returned again after a resumption, so it must have no effect.
    Prepare {
        /// The task.
        task: TaskId,
    },
    /// Call the task's executor.
    Start {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
    },
    /// Ask the executor to stop. Returned once for an attempt.
    Cancel {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
    },
    /// The executor did not end within the grace period: end it by force if that is possible. A later
    /// report of the attempt is stale.
    Abandon {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
    },
    /// Show the question. Returned again after a resumption.
    Ask {
        /// The task.
        task: TaskId,
        /// The question.
        question: QuestionId,
    },
    /// The run is suspended; the scheduler may be dropped.
    Suspended,
    /// The run has ended; the scheduler may be dropped.
    Ended(RunEnd),
}
