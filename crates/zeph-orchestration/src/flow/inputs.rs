//! Inputs: handles of results, and the arguments that they turn into.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use zeph_executor::{Parent, TaskError};
use zeph_graph::TaskId;

use super::body::Shared;
use super::value_store::{Values, maker_of};

/// The result that a task of a flow will have. Handles are `Copy`.
pub struct Handle<T> {
    pub(super) task: TaskId,
    value: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    pub(super) const fn new(task: TaskId) -> Self {
        Self {
            task,
            value: PhantomData,
        }
    }

    /// The task of the result.
    #[must_use]
    pub const fn id(self) -> TaskId {
        self.task
    }

    /// The result as an optional input: the closure gets `None` if the task ended without one. Use it with
    /// a trigger that does not require success, for example
    /// [`Trigger::AllDone`](zeph_graph::Trigger::AllDone).
    ///
    /// # Examples
    /// ```
    /// use zeph_orchestration::{Flow, OnFailure, Task, TaskError, Trigger};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), zeph_orchestration::FlowError> {
    /// let mut flow = Flow::new();
    /// let rate = flow.task(Task::new("rate").on_failure(OnFailure::Skip), (), |()| async {
    ///     Err::<u32, _>(TaskError::permanent("no network"))
    /// });
    /// let price = Task::new("price").trigger(Trigger::AllDone);
    /// let price = flow.task(price, rate.optional(), |rate| async move {
    ///     Ok(rate.map_or(100, |rate| 100 * *rate))
    /// });
    /// assert_eq!(*flow.run().await?.get(price)?, 100);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn optional(self) -> Optional<T> {
        Optional(self)
    }

    /// The task as a dependency without a value: the closure gets `()` in its place, also if there is no
    /// result.
    #[must_use]
    pub const fn after(self) -> After {
        After(self.task)
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Handle<T> {}
impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.task)
    }
}

/// An optional result; see [`Handle::optional`].
#[derive(Debug)]
pub struct Optional<T>(Handle<T>);

/// A dependency without a value; see [`Handle::after`].
#[derive(Clone, Copy, Debug)]
pub struct After(TaskId);

/// The inputs of a task: `()`, a handle, an [optional](Handle::optional) handle, a handle without its
/// [value](Handle::after), a tuple of up to six inputs, or a `Vec` of inputs of one kind.
pub trait Inputs: Send + Sync + 'static {
    /// The argument type of the closure.
    type Args: Send;

    /// The tasks that it depends on.
    fn tasks(&self) -> Vec<TaskId>;

    /// The arguments.
    ///
    /// # Errors
    /// If a value is missing or has another type.
    fn read(&self, reader: &Reader<'_>) -> Result<Self::Args, TaskError>;
}

/// Finds the values of an attempt's inputs.
pub struct Reader<'a> {
    pub(super) shared: &'a Shared,
    pub(super) parents: &'a IndexMap<String, Parent>,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("parents", &self.parents.len())
            .finish_non_exhaustive()
    }
}

/// Reads the value of a task from its JSON into the values. Returns whether the JSON contains the value.
pub(super) type ReadValue =
    Arc<dyn Fn(&Values, &Arc<str>, &Value) -> Result<bool, TaskError> + Send + Sync>;

impl Reader<'_> {
    fn get<T: Send + Sync + 'static>(&self, handle: Handle<T>) -> Result<Arc<T>, TaskError> {
        self.get_if_there(handle)?.ok_or_else(|| {
            let name = self
                .shared
                .names
                .get(&handle.task)
                .map_or("?", |name| &**name);
            let text =
                format!("task {name:?} has no result; take it as `optional()` if it may fail");
            missing(text)
        })
    }

    /// `None` if the task ended without a result.
    fn get_if_there<T: Send + Sync + 'static>(
        &self,
        handle: Handle<T>,
    ) -> Result<Option<Arc<T>>, TaskError> {
        let Some(name) = self.shared.names.get(&handle.task) else {
            return Ok(None);
        };
        let parent = self.parents.get(&**name);
        let Some(output) = parent.and_then(|parent| parent.output.as_ref()) else {
            return Ok(None);
        };
        let Some(read) = self.shared.readers.get(&handle.task) else {
            return Ok(None);
        };
        // A result that exists but cannot be read is an error.
        let unreadable = || {
            missing(format!(
                "the result of task {name:?} is not in memory: a person's value needs a durable flow"
            ))
        };
        let value = find(&self.shared.values, name, read, &output.value)?;
        value.ok_or_else(unreadable).map(Some)
    }
}

fn missing(text: String) -> TaskError {
    TaskError::permanent(text).with_code("missing_value")
}

/// The value of a task from its JSON in the journal, which is the value itself or the attempt that made it.
pub(super) fn find<T: Send + Sync + 'static>(
    values: &Values,
    name: &Arc<str>,
    read: &ReadValue,
    json: &Value,
) -> Result<Option<Arc<T>>, TaskError> {
    if let Some(value) = values.get(name, 0) {
        return Ok(Some(value));
    }
    if let Some((maker, attempt)) = maker_of(json)
        && let Some(value) = values.get(&maker, attempt)
    {
        return Ok(Some(value));
    }
    Ok(if read(values, name, json)? {
        values.get(name, 0)
    } else {
        None
    })
}

impl Inputs for () {
    type Args = ();

    fn tasks(&self) -> Vec<TaskId> {
        Vec::new()
    }

    fn read(&self, _: &Reader<'_>) -> Result<(), TaskError> {
        Ok(())
    }
}

impl<T: Send + Sync + 'static> Inputs for Handle<T> {
    type Args = Arc<T>;

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.task]
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Arc<T>, TaskError> {
        reader.get(*self)
    }
}

impl<T: Send + Sync + 'static> Inputs for Optional<T> {
    type Args = Option<Arc<T>>;

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.0.task]
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Option<Arc<T>>, TaskError> {
        reader.get_if_there(self.0)
    }
}

impl Inputs for After {
    type Args = ();

    fn tasks(&self) -> Vec<TaskId> {
        vec![self.0]
    }

    fn read(&self, _: &Reader<'_>) -> Result<(), TaskError> {
        Ok(())
    }
}

impl<I: Inputs> Inputs for Vec<I> {
    type Args = Vec<I::Args>;

    fn tasks(&self) -> Vec<TaskId> {
        self.iter().flat_map(Inputs::tasks).collect()
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Args, TaskError> {
        self.iter().map(|input| input.read(reader)).collect()
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Inputs),+> Inputs for ($($name,)+) {
            type Args = ($($name::Args,)+);

            fn tasks(&self) -> Vec<TaskId> {
                let mut tasks = Vec::new();
                $(tasks.extend(self.$index.tasks());)+
                tasks
            }

            fn read(&self, reader: &Reader<'_>) -> Result<Self::Args, TaskError> {
                Ok(($(self.$index.read(reader)?,)+))
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
