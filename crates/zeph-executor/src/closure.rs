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

use crate::{Executor, TaskContext, TaskError, TaskInput, TaskOutput};

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
