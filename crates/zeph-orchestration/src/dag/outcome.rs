//! Outcome: the state of a run when `tick` returns `false`.

use zeph_graph::{RunEnd, TaskId};
use zeph_scheduler::OpenQuestion;

/// The state of a run, and so the meaning of a `false` of
/// [`DagScheduler::tick`](crate::DagScheduler::tick).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The run has ended.
    Ended(RunEnd),
    /// Only these questions are open, oldest first. Answer one and tick again.
    Waiting(Vec<OpenQuestion>),
    /// The run is paused and no attempt is in flight. Unpause it and tick again.
    Paused,
    /// These tasks can never change again: a bug of the scheduler that it has detected.
    Stuck(Vec<TaskId>),
    /// The run continues with the next tick.
    NotFinished,
}

impl Outcome {
    /// Whether the run has ended with every task completed, except those that a person declined.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        *self == Self::Ended(RunEnd::Completed)
    }
}
