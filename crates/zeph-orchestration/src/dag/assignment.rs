//! Assignment: one attempt to be made, with all that it needs to know.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use zeph_executor::TaskError;
use zeph_graph::{Attempt, Params, TaskId};

use super::stop::Stop;

/// What a parent left: its name and its value.
pub(crate) type Inputs = Vec<(Arc<str>, Arc<Value>)>;

/// One attempt to be made: what a body is called with, and what
/// [`DagScheduler::started`](crate::DagScheduler::started) hands out. A clone is the same attempt.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
    pub(crate) name: Arc<str>,
    pub(crate) action: Arc<str>,
    pub(crate) params: Params,
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) stop: Stop,
}

impl Assignment {
    /// The task.
    #[must_use]
    pub const fn task(&self) -> TaskId {
        self.task
    }

    /// The number of the attempt, from 1. The first to report counts; a late report of an earlier
    /// attempt changes nothing.
    #[must_use]
    pub const fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the task's action; a task that was a milestone has its own name as its action.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The task's parameters.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// The task's parameters as a type.
    ///
    /// # Errors
    /// Permanent, with the code `invalid_params`, if they do not fit.
    pub fn params_as<T: DeserializeOwned>(&self) -> Result<T, TaskError> {
        serde_json::from_str(self.params.json_text()).map_err(|error| {
            TaskError::permanent(format!("the parameters of {:?} do not fit", self.name()))
                .with_code("invalid_params")
                .with_source(error)
        })
    }

    /// The value that a parent left. `None` if it left none, did not complete, or is not a parent.
    #[must_use]
    pub fn input(&self, parent: &str) -> Option<&Value> {
        let found = self.inputs.iter().find(|(name, _)| &**name == parent)?;
        Some(&found.1)
    }

    /// The value that a parent left, as a type.
    ///
    /// # Errors
    /// Permanent, with the code `missing_input` if there is none, or `invalid_input` if it does not
    /// fit.
    pub fn input_as<T: DeserializeOwned>(&self, parent: &str) -> Result<T, TaskError> {
        let Some(value) = self.input(parent) else {
            let text = format!("task {:?} has no value of a parent {parent:?}", self.name());
            return Err(TaskError::permanent(text).with_code("missing_input"));
        };
        T::deserialize(value).map_err(|error| {
            let name = self.name();
            TaskError::permanent(format!("the value of {parent:?} does not fit {name:?}"))
                .with_code("invalid_input")
                .with_source(error)
        })
    }

    /// All values that parents left, by the parents' names, in the order of the dependencies.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.inputs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether the result is no longer wanted: cancelled, out of time, given up, or the scheduler is
    /// gone. Stays so.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.stop.is_raised()
    }

    /// Waits that long, or until the result is no longer wanted; says whether it is not. The pause for
    /// a body that must wait for something outside.
    #[must_use = "whoever waits must end when this says so"]
    pub fn wait_cancelled(&self, at_most: Duration) -> bool {
        self.stop.wait(at_most)
    }
}
