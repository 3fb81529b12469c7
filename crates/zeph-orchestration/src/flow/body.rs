//! Body: a typed closure as an executor.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use indexmap::IndexMap;
use zeph_executor::{Executor, TaskContext, TaskError, TaskInput, TaskOutput};
use zeph_graph::TaskId;

use super::inputs::{Inputs, ReadValue, Reader};
use super::value_store::{ValueStore, Values, made_by};

/// The data that all bodies of a flow share after it is built.
pub(super) struct Shared {
    pub(super) values: Values,
    pub(super) names: IndexMap<TaskId, Arc<str>>,
    pub(super) readers: IndexMap<TaskId, ReadValue>,
}

pub(super) struct Body<I, T, F, K> {
    pub(super) inputs: I,
    pub(super) closure: F,
    pub(super) name: Arc<str>,
    // Set when the flow runs; an executor is called after that.
    pub(super) shared: Arc<OnceLock<Shared>>,
    pub(super) kinds: PhantomData<fn() -> (T, K)>,
}

#[async_trait]
impl<I, T, F, Fut, K> Executor for Body<I, T, F, K>
where
    I: Inputs,
    T: Send + Sync + 'static,
    F: Fn(TaskContext, I::Args) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, TaskError>> + Send + 'static,
    K: ValueStore<T>,
{
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let shared = self.shared.get();
        let shared = shared.ok_or_else(|| TaskError::permanent("the flow has not been started"))?;
        let parents = &input.parents;
        let args = self.inputs.read(&Reader { shared, parents })?;
        let value = (self.closure)(cx.clone(), args).await?;
        let mut output = K::output(&value, cx.attempt())?;
        if !K::IN_JOURNAL {
            output = made_by(output, &self.name);
            let attempt = u64::from(cx.attempt().get());
            shared.values.put(&self.name, attempt, Arc::new(value));
        }
        Ok(output)
    }
}
