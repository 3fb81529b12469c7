//! Outcome: where a run stands when the crank has stopped.

use zeph_graph::{RunEnd, TaskId};
use zeph_scheduler::OpenQuestion;

/// Where a run stands, and so what a `false` of [`DagScheduler::tick`](crate::DagScheduler::tick)
/// means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is over.
    Ended(RunEnd),
    /// Only these questions are left to wait for, oldest first. Answer one and tick again.
    Waiting(Vec<OpenQuestion>),
    /// It is paused and nothing is in flight. Unpause it and tick again.
    Paused,
    /// These tasks can never move again: a fault of the machine, found by itself.
    Stuck(Vec<TaskId>),
    /// It goes on with the next tick.
    NotFinished,
}

impl Outcome {
    /// Whether the run is over and every task completed, those apart that a person declined.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        *self == Self::Ended(RunEnd::Completed)
    }
}
