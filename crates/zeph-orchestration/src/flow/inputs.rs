//! Inputs: handles of results, and the arguments that they turn into.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use zeph_graph::TaskId;
use zeph_subagent::{Parent, TaskError};

use super::keep::Shelf;

/// The result that a task of a flow will have. Copy it around freely.
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

    /// The task behind it.
    #[must_use]
    pub const fn id(self) -> TaskId {
        self.task
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

/// What a task takes: `()`, a handle, a tuple of up to six, or a `Vec` of handles.
pub trait Inputs: Send + Sync + 'static {
    /// What the closure gets for it.
    type Args: Send;

    /// The tasks that it depends on.
    fn tasks(&self) -> Vec<TaskId>;

    /// The arguments.
    ///
    /// # Errors
    /// If a value is not there, or not of the expected form.
    fn read(&self, reader: &Reader<'_>) -> Result<Self::Args, TaskError>;
}

/// Finds the values of an attempt's inputs.
pub struct Reader<'a> {
    pub(super) shelf: &'a Shelf,
    pub(super) names: &'a IndexMap<TaskId, Arc<str>>,
    pub(super) parents: &'a IndexMap<String, Parent>,
    pub(super) readers: &'a IndexMap<TaskId, ReadValue>,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("parents", &self.parents.len())
            .finish_non_exhaustive()
    }
}

/// Puts the value behind a task's JSON on the shelf.
pub(super) type ReadValue =
    Arc<dyn Fn(&Shelf, &Arc<str>, &Value) -> Result<bool, TaskError> + Send + Sync>;

impl Reader<'_> {
    fn get<T: Send + Sync + 'static>(&self, handle: Handle<T>) -> Result<Arc<T>, TaskError> {
        let missing = || {
            let name = self.names.get(&handle.task).map_or("?", |name| &**name);
            TaskError::permanent(format!("the result of task {name:?} is not there"))
                .with_code("missing_value")
        };
        let name = self.names.get(&handle.task).ok_or_else(missing)?;
        let output = self
            .parents
            .get(&**name)
            .and_then(|parent| parent.output.as_ref());
        let output = output.ok_or_else(missing)?;
        let read = self.readers.get(&handle.task).ok_or_else(missing)?;
        find(self.shelf, name, read, &output.value)?.ok_or_else(missing)
    }
}

/// The value that the journal means by this JSON: the value itself, or the attempt that made it.
pub(super) fn find<T: Send + Sync + 'static>(
    shelf: &Shelf,
    name: &Arc<str>,
    read: &ReadValue,
    json: &Value,
) -> Result<Option<Arc<T>>, TaskError> {
    if let Some(value) = shelf.get(name, 0) {
        return Ok(Some(value));
    }
    if read(shelf, name, json)? {
        return Ok(shelf.get(name, 0));
    }
    Ok(json.as_u64().and_then(|attempt| shelf.get(name, attempt)))
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

impl<T: Send + Sync + 'static> Inputs for Vec<Handle<T>> {
    type Args = Vec<Arc<T>>;

    fn tasks(&self) -> Vec<TaskId> {
        self.iter().map(|handle| handle.task).collect()
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Vec<Arc<T>>, TaskError> {
        self.iter().map(|handle| reader.get(*handle)).collect()
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
