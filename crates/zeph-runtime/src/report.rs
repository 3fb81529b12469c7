//! Reports: how a run and each of its tasks ended, or where they rest.

use std::sync::Arc;

use serde_json::Value;
use zeph_graph::{RunEnd, RunId, RunState, Spent, TaskId, TaskState};
use zeph_scheduler::{AttemptCounts, Counts, Scheduler};

use crate::driver;
use crate::snapshot::RunSnapshot;

/// The state of a run when it is unloaded: at its end, suspended, or cut off from its store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// The run's state.
    pub state: RunState,
    /// The number of tasks in each state.
    pub counts: Counts,
    /// What the run has spent.
    pub spent: Spent,
    /// Every task, in the order of the graph. Empty if the journal could not be written: then
    /// [`RunView`](crate::RunView) reads what was saved.
    pub tasks: Vec<TaskReport>,
    /// Why the journal could not be written, if it could not.
    pub error: Option<String>,
}

impl RunReport {
    /// How the run ended, if it has.
    #[must_use]
    pub const fn end(&self) -> Option<RunEnd> {
        match self.state {
            RunState::Ended(end) => Some(end),
            RunState::Running
            | RunState::Paused
            | RunState::Waiting
            | RunState::Suspending
            | RunState::Suspended => None,
        }
    }

    /// The task of that name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&TaskReport> {
        self.tasks.iter().find(|task| &*task.name == name)
    }

    /// A run that was cut off from its store: only what was saved counts.
    pub(crate) fn cut_off(run: &RunId, saved: &RunSnapshot, error: String) -> Self {
        Self {
            run: run.clone(),
            state: saved.state,
            counts: saved.counts,
            spent: saved.spent,
            tasks: Vec::new(),
            error: Some(error),
        }
    }

    pub(crate) fn new(run: &RunId, scheduler: &Scheduler) -> Self {
        let tasks = scheduler.graph().tasks().map(|(id, task)| {
            let view = scheduler.task(id);
            TaskReport {
                id,
                name: task.shared_name(),
                state: view.state(),
                attempts: view.last_attempt().map_or(0, zeph_graph::Attempt::get),
                attempt_counts: view.attempt_counts(),
                defined: driver::defined_output(scheduler, id),
            }
        });
        Self {
            run: run.clone(),
            state: scheduler.state(),
            counts: scheduler.counts(),
            spent: scheduler.spent(),
            tasks: tasks.collect(),
            error: None,
        }
    }
}

/// The state of a task when its run is unloaded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskReport {
    /// Its id.
    pub id: TaskId,
    /// Its name.
    pub name: Arc<str>,
    /// Its state.
    pub state: TaskState,
    /// The number of attempts that were started.
    pub attempts: u32,
    /// How its attempts ended, in numbers.
    pub attempt_counts: AttemptCounts,
    /// The output, if the definition states it: a substitute or a default answer.
    pub defined: Option<Value>,
}
