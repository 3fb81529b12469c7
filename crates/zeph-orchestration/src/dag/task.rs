//! DagTask: one task of a run, to be asked.

use serde_json::Value;
use zeph_graph::{Task, TaskId, TaskState};

use super::DagScheduler;

/// A task of a [`DagScheduler`], as it stands now.
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

    /// What the task is.
    #[must_use]
    pub fn definition(&self) -> &'a Task {
        self.scheduler.graph().task(self.id)
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.scheduler.stage.state(self.id)
    }

    /// How many attempts were started.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        let machine = self.scheduler.stage.machine();
        let last = machine.and_then(|machine| machine.task(self.id).last_attempt());
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
