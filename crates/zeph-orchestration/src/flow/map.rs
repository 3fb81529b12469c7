//! Map: a closure that runs once for each item of a list.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeph_executor::{Executor, TaskContext, TaskError, TaskInput, TaskOutput};
use zeph_graph::{Foreach, Task};

use super::Flow;
use super::body::Shared;
use super::inputs::{Handle, Inputs as _, ReadValue, Reader};
use super::value_store::from_json;
use super::when::Condition;

struct Each<T, F> {
    list: Handle<Vec<T>>,
    closure: F,
    shared: Arc<OnceLock<Shared>>,
}

#[async_trait]
impl<T, R, F, Fut> Executor for Each<T, F>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    R: Serialize + Send + Sync + 'static,
    F: Fn(T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, TaskError>> + Send + 'static,
{
    async fn execute(&self, _: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let Some(item) = input.item else {
            let shared = self.shared.get();
            let shared =
                shared.ok_or_else(|| TaskError::permanent("the flow has not been started"))?;
            let parents = &input.parents;
            let list = self.list.read(&Reader { shared, parents })?;
            return TaskOutput::from_serialize(&*list);
        };
        let item = T::deserialize(item.value).map_err(|error| {
            TaskError::permanent("an item of the list does not fit")
                .with_code("invalid_item")
                .with_source(error)
        })?;
        TaskOutput::from_serialize(&(self.closure)(item).await?)
    }
}

impl<Kind: Send + Sync + 'static> Flow<Kind> {
    /// Adds a task that runs once for each item of a list, up to the [`max`](Foreach::max) of its rule or of
    /// [`Foreach::DEFAULT`]; the result is the list of the results, in order. Retries, time-outs and lanes of the
    /// task are those of each item, which is named `NAME[0]`, `NAME[1]`, …
    ///
    /// Items and results pass through serde, also in a flow in memory. If items may fail
    /// ([`ItemFailure::Skip`](crate::ItemFailure::Skip)), their results are null: let `R` be an `Option`.
    ///
    /// # Panics
    /// As [`task`](Self::task).
    ///
    /// # Examples
    /// ```
    /// use zeph_orchestration::Flow;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), zeph_orchestration::FlowError> {
    /// let mut flow = Flow::new();
    /// let names = flow.task("list", (), |()| async { Ok(vec!["a".to_owned(), "bcd".to_owned()]) });
    /// let sizes = flow.map("measure", names, |name| async move { Ok(name.len()) });
    /// let sum = flow.task("sum", sizes, |sizes| async move { Ok(sizes.iter().sum::<usize>()) });
    /// assert_eq!(*flow.run().await?.get(sum)?, 4);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn map<T, R, F, Fut>(
        &mut self,
        task: impl Into<Task>,
        list: Handle<Vec<T>>,
        closure: F,
    ) -> Handle<Vec<R>>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
        R: Serialize + DeserializeOwned + Send + Sync + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, TaskError>> + Send + 'static,
    {
        self.add_map(None, task.into(), list, closure)
    }

    #[track_caller]
    pub(super) fn add_map<T, R, F, Fut>(
        &mut self,
        condition: Option<Condition>,
        mut task: Task,
        list: Handle<Vec<T>>,
        closure: F,
    ) -> Handle<Vec<R>>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
        R: Serialize + DeserializeOwned + Send + Sync + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, TaskError>> + Send + 'static,
    {
        let foreach = &mut task.rules_mut().foreach;
        foreach.get_or_insert(Foreach::DEFAULT);
        let each = Each {
            list,
            closure,
            shared: Arc::clone(&self.shared),
        };
        let read: ReadValue = Arc::new(|values, name, value| {
            values.put::<Vec<R>>(name, 0, Arc::new(from_json(value)?));
            Ok(true)
        });
        self.add_closure(condition, task, list.tasks(), Arc::new(each), read)
    }
}
