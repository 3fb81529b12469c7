//! When: conditions, which decide over a task while the flow runs.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeph_executor::{Executor, TaskContext, TaskError, TaskInput, closure};
use zeph_graph::{Question, Task, TaskId};

use super::Flow;
use super::body::Shared;
use super::inputs::{Handle, Inputs, Reader};
use super::value_store::ValueStore;

type Decision = Pin<Box<dyn Future<Output = Result<bool, TaskError>> + Send>>;
type Decide = dyn Fn(&Reader<'_>) -> Result<Decision, TaskError> + Send + Sync;

/// A closure over results that says whether a task runs.
pub(super) struct Condition {
    inputs: Vec<TaskId>,
    decide: Box<Decide>,
}

impl Condition {
    fn new<I, F, Fut>(inputs: I, condition: F) -> Self
    where
        I: Inputs,
        F: Fn(I::Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool, TaskError>> + Send + 'static,
    {
        Self {
            inputs: inputs.tasks(),
            decide: Box::new(move |reader| Ok(Box::pin(condition(inputs.read(reader)?)))),
        }
    }

    /// The inputs of the task, then those that only its condition has.
    pub(super) fn dependencies(&self, mut inputs: Vec<TaskId>) -> Vec<TaskId> {
        inputs.extend(&self.inputs);
        inputs
    }

    /// The condition before the executor of its task; a question has none.
    pub(super) fn on(
        self,
        shared: &Arc<OnceLock<Shared>>,
        executor: Option<Arc<dyn Executor>>,
    ) -> Arc<dyn Executor> {
        let shared = Arc::clone(shared);
        let condition = move |_: TaskContext, input: TaskInput| {
            let shared = shared.get();
            let shared =
                shared.ok_or_else(|| TaskError::permanent("the flow has not been started"));
            let decision = shared.and_then(|shared| {
                let parents = &input.parents;
                (self.decide)(&Reader { shared, parents })
            });
            async move { decision?.await }
        };
        match executor {
            Some(executor) => closure::when(condition, executor),
            None => closure::condition(condition),
        }
    }
}

/// A condition, for the task that is added with it; see [`Flow::when`].
#[must_use = "a condition decides over the task that is added with it"]
pub struct When<'f, Kind> {
    flow: &'f mut Flow<Kind>,
    condition: Condition,
}

impl<Kind> std::fmt::Debug for When<'_, Kind> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("When")
            .field("inputs", &self.condition.inputs)
            .finish_non_exhaustive()
    }
}

impl<Kind: Send + Sync + 'static> Flow<Kind> {
    /// A condition for the next task: a closure over results, which says whether the task runs.
    ///
    /// The inputs of the condition become dependencies of the task. The closure is called when the trigger of the
    /// task has fired, before the task takes a slot or asks a person. `false` skips the task, and its dependants
    /// with it unless their trigger allows it; an error fails it. The closure must have no effect: a flow that goes
    /// on after a crash may call it again.
    ///
    /// # Examples
    /// ```
    /// use zeph_orchestration::Flow;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), zeph_orchestration::FlowError> {
    /// let mut flow = Flow::new();
    /// let count = flow.task("count", (), |()| async { Ok(3) });
    /// let warn = flow
    ///     .when(count, |count| async move { Ok(*count > 10) })
    ///     .task("warn", count, |count| async move { Ok(format!("{count} are too many")) });
    /// let report = flow.run().await?;
    /// assert!(report.get(warn).is_err_and(|error| error.to_string().contains("skipped")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn when<I, F, Fut>(&mut self, inputs: I, condition: F) -> When<'_, Kind>
    where
        I: Inputs,
        F: Fn(I::Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool, TaskError>> + Send + 'static,
    {
        When {
            flow: self,
            condition: Condition::new(inputs, condition),
        }
    }
}

impl<Kind: Send + Sync + 'static> When<'_, Kind> {
    /// [`Flow::task`] under the condition.
    ///
    /// # Panics
    /// As [`Flow::task`].
    #[track_caller]
    pub fn task<I, T, F, Fut>(self, task: impl Into<Task>, inputs: I, body: F) -> Handle<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: Fn(I::Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, TaskError>> + Send + 'static,
        Kind: ValueStore<T>,
    {
        self.task_with(task, inputs, move |_, args| body(args))
    }

    /// [`Flow::task_with`] under the condition.
    ///
    /// # Panics
    /// As [`Flow::task`].
    #[track_caller]
    pub fn task_with<I, T, F, Fut>(self, task: impl Into<Task>, inputs: I, body: F) -> Handle<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: Fn(TaskContext, I::Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, TaskError>> + Send + 'static,
        Kind: ValueStore<T>,
    {
        let condition = Some(self.condition);
        self.flow.add_body(condition, task.into(), inputs, body)
    }

    /// [`Flow::map`] under the condition, which is asked once, before the list is made.
    ///
    /// # Panics
    /// As [`Flow::task`].
    #[track_caller]
    pub fn map<T, R, F, Fut>(
        self,
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
        let condition = Some(self.condition);
        self.flow.add_map(condition, task.into(), list, closure)
    }

    /// [`Flow::ask`] under the condition.
    ///
    /// # Panics
    /// As [`Flow::ask`].
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "inputs are given alike to all kinds of task"
    )]
    pub fn ask<T: DeserializeOwned + Send + Sync + 'static>(
        self,
        task: impl Into<Task>,
        inputs: impl Inputs,
        question: Question,
    ) -> Handle<T> {
        let condition = Some(self.condition);
        let inputs = inputs.tasks();
        self.flow
            .add_question(condition, task.into(), inputs, question)
    }
}
