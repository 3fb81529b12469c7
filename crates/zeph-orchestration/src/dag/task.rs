//! DagTask: the current state of one task.

use serde_json::Value;
use zeph_graph::{Task, TaskId, TaskState};

use super::DagScheduler;

/// A task of a [`DagScheduler`] in its current state.
#[derive(Clone, Copy, Debug)]
pub struct DagTask<'a> {
    pub(crate) scheduler: &'a DagScheduler,
    pub(crate) id: TaskId,
}

impl<'a> DagTask<'a> {
    /// The task's id.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The task's definition.
    #[must_use]
    pub fn definition(&self) -> &'a Task {
        self.scheduler.graph().task(self.id)
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.scheduler.run.state(self.id)
    }

    /// The number of attempts that were started.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        let scheduler = self.scheduler.run.scheduler();
        let last = scheduler.and_then(|scheduler| scheduler.task(self.id).last_attempt());
        last.map_or(0, zeph_graph::Attempt::get)
    }

    /// As [`DagScheduler::output`].
    #[must_use]
    pub fn output(&self) -> Option<&'a Value> {
        self.scheduler.output(self.id)
    }

    /// As [`DagScheduler::error`].
    #[must_use]
    pub fn error(&self) -> Option<&'a str> {
        self.scheduler.error(self.id)
    }
}
