//! Attempts: the argument of a body, with the inputs and the cancellation flag.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use zeph_executor::{Item, TaskError};
use zeph_graph::{Attempt, Params, RunEnd, TaskId};

/// The names and values of the parents.
pub(crate) type Inputs = Vec<(Arc<str>, Arc<Value>)>;

/// One attempt of a task. A body is called with it, and
/// [`DagScheduler::started`](crate::DagScheduler::started) returns it. A clone is the same attempt.
#[derive(Clone, Debug)]
pub struct AttemptContext {
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
    pub(crate) name: Arc<str>,
    pub(crate) action: Arc<str>,
    pub(crate) params: Params,
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) item: Option<Item>,
    pub(crate) outcome: Option<RunEnd>,
    pub(crate) previous_error: Option<Arc<str>>,
    pub(crate) cancel: CancelFlag,
}

impl AttemptContext {
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

    /// The value of a parent. `None` if it has none, did not complete, or is not a parent.
    #[must_use]
    pub fn input(&self, parent: &str) -> Option<&Value> {
        let found = self.inputs.iter().find(|(name, _)| &**name == parent)?;
        Some(&found.1)
    }

    /// The value of a parent as a type.
    ///
    /// # Errors
    /// Permanent, with the code `missing_input` if there is none, or `invalid_input` if it does not
    /// fit.
    pub fn input_as<T: DeserializeOwned>(&self, parent: &str) -> Result<T, TaskError> {
        let Some(value) = self.input(parent) else {
            let text = format!(
                "task {:?} has no parent {parent:?} with a value",
                self.name()
            );
            return Err(TaskError::permanent(text).with_code("missing_input"));
        };
        T::deserialize(value).map_err(|error| {
            let name = self.name();
            TaskError::permanent(format!("the value of {parent:?} does not fit {name:?}"))
                .with_code("invalid_input")
                .with_source(error)
        })
    }

    /// The values of all parents that have one, with their names, in the order of the dependencies.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.inputs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The item, if the task runs for each item of a list and this is not the attempt that makes the list.
    #[must_use]
    pub const fn item(&self) -> Option<&Item> {
        self.item.as_ref()
    }

    /// In a finalizer: how the run went so far, which is how it ends if the finalizers succeed.
    #[must_use]
    pub const fn outcome(&self) -> Option<RunEnd> {
        self.outcome
    }

    /// The error text of the latest attempt of the task that failed, if one did.
    #[must_use]
    pub fn previous_error(&self) -> Option<&str> {
        self.previous_error.as_deref()
    }

    /// Whether the attempt is canceled: by a request, by a time-out, or because the scheduler was dropped.
    /// It stays canceled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_raised()
    }

    /// Waits that long, or until the attempt is canceled; returns whether it is. For bodies that poll
    /// something outside.
    #[must_use = "a body must return when its attempt is canceled"]
    pub fn wait_cancelled(&self, at_most: Duration) -> bool {
        self.cancel.wait(at_most)
    }
}

/// A flag that is raised once, and that a thread can wait for.
#[derive(Clone, Debug, Default)]
pub(crate) struct CancelFlag(Arc<(Mutex<bool>, Condvar)>);

impl CancelFlag {
    pub(crate) fn raise(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    fn is_raised(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the flag is raised, at most that long; returns whether it is.
    fn wait(&self, at_most: Duration) -> bool {
        let flag = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = (self.0.1).wait_timeout_while(flag, at_most, |raised| !*raised);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
