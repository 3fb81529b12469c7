//! Batch and actions: records to save as one append, and what may be done once they are saved.

use zeph_graph::{Attempt, Entry, QuestionId, RunEnd, Seq, TaskId};

/// Records to save as one atomic append. Owned and not `Clone`: handing it back to
/// [`Scheduler::saved`](crate::Scheduler::saved) is the only way to the actions that depend on it.
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

/// Something that the driver is to do, now that the decision is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Call the task's executor.
    Start {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
    },
    /// Tell the executor to end. Given once for an attempt.
    Cancel {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
    },
    /// The executor did not end within its grace: end it by force if that is possible. Its report no
    /// longer counts.
    Abandon {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
    },
    /// Put the question to whoever can answer it.
    Ask {
        /// Which task.
        task: TaskId,
        /// Which question.
        question: QuestionId,
    },
    /// The run is at rest; the machine may be dropped.
    Suspended,
    /// The run is over; the machine may be dropped.
    Ended(RunEnd),
}
