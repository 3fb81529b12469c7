//! Keep: what a flow does with values between the task that makes them and the tasks that take them.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeph_subagent::{TaskError, TaskOutput};

/// A flow whose values live in this process only. Any `Send + Sync` type will do.
#[derive(Clone, Copy, Debug)]
pub struct InMemory;

/// A flow whose values pass through serde into a store, and survive the process.
#[derive(Clone, Copy, Debug)]
pub struct Durable;

/// How a kind of flow keeps values of a type. Implemented by [`InMemory`] and [`Durable`].
pub trait Keep<T>: Send + Sync + 'static {
    /// What the journal gets of the value.
    ///
    /// # Errors
    /// If the value has no JSON form.
    fn output(value: &T) -> Result<TaskOutput, TaskError>;

    /// The value, from what the journal has of it; `None` if it has nothing.
    ///
    /// # Errors
    /// If the JSON does not fit the type.
    fn read(value: &Value) -> Option<Result<T, TaskError>>;
}

impl<T: Send + Sync + 'static> Keep<T> for InMemory {
    fn output(_: &T) -> Result<TaskOutput, TaskError> {
        Ok(TaskOutput::null())
    }

    fn read(_: &Value) -> Option<Result<T, TaskError>> {
        None
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Keep<T> for Durable {
    fn output(value: &T) -> Result<TaskOutput, TaskError> {
        TaskOutput::from_serialize(value)
    }

    fn read(value: &Value) -> Option<Result<T, TaskError>> {
        Some(from_json(value))
    }
}

pub(super) fn from_json<T: DeserializeOwned>(value: &Value) -> Result<T, TaskError> {
    T::deserialize(value).map_err(|error| {
        TaskError::permanent("a value does not have the form that its task expects")
            .with_code("invalid_value")
            .with_source(error)
    })
}

/// Values at hand, by task name. A value is made once and shared from then on.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<HashMap<Arc<str>, Arc<dyn Any + Send + Sync>>>);

impl Shelf {
    pub(super) fn put<T: Send + Sync + 'static>(&self, task: &Arc<str>, value: Arc<T>) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.insert(Arc::clone(task), value);
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self, task: &str) -> Option<Arc<T>> {
        let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shelf.get(task)?).downcast().ok()
    }
}
