//! Async closures as executors: typed ones, and raw ones.
//!
//! ```
//! use zeph_executor::{TaskContext, TaskError, TaskInput, TaskOutput, closure};
//!
//! // Parameters in, a serializable value out.
//! let add = closure::action(|(a, b): (i64, i64)| async move { Ok::<_, TaskError>(a + b) });
//! // The same, with the context.
//! let name = closure::action_with(|cx: TaskContext, (): ()| async move {
//!     Ok::<_, TaskError>(cx.name().to_owned())
//! });
//! // The context and the whole input.
//! let count = closure::from_fn(|_cx, input: TaskInput| async move {
//!     Ok(TaskOutput::from(input.parents.len()))
//! });
//! ```

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Executor, Prepared, TaskContext, TaskError, TaskInput, TaskOutput};

/// An executor from a closure that takes the task's parameters as a type.
///
/// Parameters that do not fit are a permanent error with the code `invalid_params` and the path of
/// the misfit. The closure's future is dropped when the attempt is canceled, unless it ends first;
/// a closure that must clean up uses [`action_with`].
pub fn action<T, U, F, Fut>(body: F) -> Arc<dyn Executor>
where
    T: DeserializeOwned + Send + 'static,
    U: Serialize + Send + 'static,
    F: Fn(T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<U, TaskError>> + Send + 'static,
{
    action_with(move |cx: TaskContext, params: T| {
        let work = body(params);
        async move {
            tokio::select! {
                biased;
                result = work => result,
                () = cx.cancelled() => Err(TaskError::cancelled("stopped on request")),
            }
        }
    })
}

/// An executor from a closure that takes the context and the task's parameters as a type.
///
/// The closure watches [`TaskContext::cancelled`] itself. Parameters are read as in [`action`].
pub fn action_with<T, U, F, Fut>(body: F) -> Arc<dyn Executor>
where
    T: DeserializeOwned + Send + 'static,
    U: Serialize + Send + 'static,
    F: Fn(TaskContext, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<U, TaskError>> + Send + 'static,
{
    from_fn(move |cx, input| {
        let work = input.params_as().map(|params| body(cx, params));
        async move { TaskOutput::from_serialize(&work?.await?) }
    })
}

/// An executor from a closure that takes the context and the whole input.
///
/// The closure watches [`TaskContext::cancelled`] itself.
pub fn from_fn<F, Fut>(body: F) -> Arc<dyn Executor>
where
    F: Fn(TaskContext, TaskInput) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<TaskOutput, TaskError>> + Send + 'static,
{
    Arc::new(Raw(body))
}

struct Raw<F>(F);

#[async_trait]
impl<F, Fut> Executor for Raw<F>
where
    F: Fn(TaskContext, TaskInput) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<TaskOutput, TaskError>> + Send + 'static,
{
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        (self.0)(cx.clone(), input).await
    }
}

/// An executor whose task runs only if a condition is true, for a task with
/// [`Task::prepare`](zeph_graph::Task::prepare).
///
/// The condition is asked once the trigger of the task has fired, before its approval and before it takes a slot.
/// It gets the parents' results, and the parameters of the rule as [`TaskInput::preparation`]; like
/// [`Executor::prepare`] it must have no effect. `false` skips the task, an error fails it. If it is true, the
/// preparation of the wrapped executor follows. A task without the rule runs unasked.
///
/// # Examples
/// ```
/// use zeph_executor::{Registry, TaskError, TaskInput, closure};
/// use zeph_graph::{Params, Task};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let send = closure::action(|(): ()| async { Ok::<_, TaskError>("sent") });
/// let is_long = |_cx, input: TaskInput| async move { Ok(input.parent_as::<u32>("count")? > 10) };
/// let mut registry = Registry::new();
/// registry.register("send", closure::when(is_long, send))?;
/// let task = Task::new("send").action("send").prepare(Params::none()); // depends on `count`
/// # let _ = task;
/// # Ok(())
/// # }
/// ```
pub fn when<F, Fut>(condition: F, executor: Arc<dyn Executor>) -> Arc<dyn Executor>
where
    F: Fn(TaskContext, TaskInput) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<bool, TaskError>> + Send + 'static,
{
    Arc::new(When {
        condition,
        executor,
    })
}

/// The condition of a task without an executor, a question or a milestone, as [`when`]. Register it for the task
/// with [`Registry::bind`](crate::Registry::bind).
pub fn condition<F, Fut>(condition: F) -> Arc<dyn Executor>
where
    F: Fn(TaskContext, TaskInput) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<bool, TaskError>> + Send + 'static,
{
    when(
        condition,
        from_fn(|_, _| async { Ok(TaskOutput::default()) }),
    )
}

struct When<F> {
    condition: F,
    executor: Arc<dyn Executor>,
}

#[async_trait]
impl<F, Fut> Executor for When<F>
where
    F: Fn(TaskContext, TaskInput) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<bool, TaskError>> + Send + 'static,
{
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        self.executor.execute(cx, input).await
    }

    async fn prepare(&self, cx: &TaskContext, input: TaskInput) -> Result<Prepared, TaskError> {
        if (self.condition)(cx.clone(), input.clone()).await? {
            self.executor.prepare(cx, input).await
        } else {
            Err(TaskError::skip(CONDITION_IS_FALSE))
        }
    }
}

/// Why a task was skipped whose condition is a closure that returned `false`.
pub const CONDITION_IS_FALSE: &str = "its condition is false";
