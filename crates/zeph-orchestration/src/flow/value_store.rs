//! The store of a flow's values: memory, or the journal through serde.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zeph_executor::{TaskError, TaskOutput};
use zeph_graph::Attempt;

/// A flow with its values in the memory of this process. Any `Send + Sync` type will do.
#[derive(Clone, Copy, Debug)]
pub struct InMemory;

/// A flow whose values pass through serde into a store, and survive the process.
#[derive(Clone, Copy, Debug)]
pub struct Durable;

/// The store of a flow's values of one type. Implemented by [`InMemory`] and [`Durable`].
pub trait ValueStore<T>: Send + Sync + 'static {
    /// Whether the journal holds the value itself, and not only which attempt made it.
    const IN_JOURNAL: bool;

    /// The task output that the journal stores for the value of an attempt.
    ///
    /// # Errors
    /// If the value has no JSON form.
    fn output(value: &T, attempt: Attempt) -> Result<TaskOutput, TaskError>;

    /// The value from its JSON in the journal; `None` if the JSON has only the attempt.
    ///
    /// # Errors
    /// If the JSON does not fit the type.
    fn read(value: &Value) -> Option<Result<T, TaskError>>;
}

impl<T: Send + Sync + 'static> ValueStore<T> for InMemory {
    const IN_JOURNAL: bool = false;

    fn output(_: &T, attempt: Attempt) -> Result<TaskOutput, TaskError> {
        Ok(TaskOutput::from(json!({ ATTEMPT: attempt.get() })))
    }

    fn read(_: &Value) -> Option<Result<T, TaskError>> {
        None
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> ValueStore<T> for Durable {
    const IN_JOURNAL: bool = true;

    fn output(value: &T, _: Attempt) -> Result<TaskOutput, TaskError> {
        TaskOutput::from_serialize(value)
    }

    fn read(value: &Value) -> Option<Result<T, TaskError>> {
        Some(from_json(value))
    }
}

/// The key under which the journal stores the attempt, instead of a value in memory. Not a bare number,
/// because a person could give one as a value.
const ATTEMPT: &str = "flow_attempt";

/// The key under which the journal stores the task of that attempt: with a fallback, it is another task than the one
/// whose result this is.
const TASK: &str = "flow_task";

/// Adds the task to the journal's form of a value in memory.
pub(super) fn made_by(mut output: TaskOutput, task: &str) -> TaskOutput {
    if let Some(json) = output.value.as_object_mut() {
        json.insert(TASK.to_owned(), task.into());
    }
    output
}

/// The task and the attempt that made the value, if this JSON names them.
pub(super) fn maker_of(json: &Value) -> Option<(Arc<str>, u64)> {
    let task = json.get(TASK)?.as_str()?;
    Some((task.into(), json.get(ATTEMPT)?.as_u64()?))
}

pub(super) fn from_json<T: DeserializeOwned>(value: &Value) -> Result<T, TaskError> {
    T::deserialize(value).map_err(|error| {
        TaskError::permanent("a value does not have the form that its task expects")
            .with_code("invalid_value")
            .with_source(error)
    })
}

/// Values in memory, by task and attempt. The journal names the attempt whose value counts. Values that
/// were read from the journal have the attempt 0.
#[derive(Debug, Default)]
pub(super) struct Values(Mutex<HashMap<Key, AnyValue>>);

type Key = (Arc<str>, u64);
type AnyValue = Arc<dyn Any + Send + Sync>;

impl Values {
    pub(super) fn put<T: Send + Sync + 'static>(
        &self,
        task: &Arc<str>,
        attempt: u64,
        value: Arc<T>,
    ) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.insert((Arc::clone(task), attempt), value);
    }

    pub(super) fn get<T: Send + Sync + 'static>(
        &self,
        task: &Arc<str>,
        attempt: u64,
    ) -> Option<Arc<T>> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(values.get(&(Arc::clone(task), attempt))?)
            .downcast()
            .ok()
    }
}
