//! Attempts: one call of an executor, from its inputs to its result.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use zeph_executor::{
    Executor, Parent, Redact, TaskContext, TaskError, TaskInput, TaskOutput, check_value_size,
};
use zeph_graph::{ContentId, Params, RunId};
use zeph_memory::{Content, RawGraphStore, StoreError};

use crate::content::{ContentParts, redacted_output};
use crate::driver::Failure;
use crate::error::RuntimeError;
use crate::parents::{ParentRef, filled, stored_outputs};
use crate::restore::contents;

/// Everything that an attempt needs; owned by the attempt's own tokio task.
pub(crate) struct AttemptJob {
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) run: RunId,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) context: TaskContext,
    pub(crate) params: Params,
    pub(crate) parents: Vec<ParentRef>,
    pub(crate) max_output_bytes: usize,
    pub(crate) redact: Option<Arc<dyn Redact>>,
}

/// An attempt's result, with the form in which it is stored; `None` for the null value.
pub(crate) type JobResult = Result<(Arc<TaskOutput>, Option<ContentParts>), JobError>;

/// Why an attempt has no result.
pub(crate) enum JobError {
    /// Its executor failed.
    Failed(Failure),
    /// Its inputs cannot be read from the store; its executor was not called.
    Unreadable(RuntimeError),
}

impl From<Failure> for JobError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<TaskError> for JobError {
    fn from(error: TaskError) -> Self {
        Self::Failed(error.into())
    }
}

/// The waits before the store is read again. It may have been out of descriptors, or busy.
const READ_WAITS: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

impl AttemptJob {
    pub(crate) async fn perform(self) -> JobResult {
        // The output is redacted and serialized here, and not in the engine's task.
        let redact = self.redact.clone();
        let output = redacted_output(redact.as_deref(), self.execute().await?)?;
        let parts = ContentParts::of_output(&output);
        Ok((Arc::new(output), parts))
    }

    async fn execute(self) -> Result<TaskOutput, JobError> {
        let parents = self.read_parents().await?;
        let params = self.params.to_value().map_err(|error| {
            TaskError::permanent("the task's parameters are not JSON")
                .with_code("invalid_params")
                .with_source(error)
        })?;
        let input = TaskInput { params, parents };
        let output = self.executor.execute(&self.context, input).await?;
        check_value_size(&output.value, self.max_output_bytes)?;
        output.check_blobs()?;
        if output.blobs.contains_key("") {
            let error = TaskError::permanent("a blob of the output has no name: give it one");
            return Err(error.with_code("unnamed_blob").into());
        }
        Ok(output)
    }

    async fn read_contents(&self, ids: &[ContentId]) -> Result<Vec<Content>, RuntimeError> {
        for wait in READ_WAITS {
            match contents(&*self.store, &self.run, ids).await {
                Err(RuntimeError::Store { source, .. })
                    if !matches!(*source, StoreError::Damaged { .. }) =>
                {
                    tracing::warn!(run = %self.run, %source, "the store cannot be read; it is read again");
                    tokio::time::sleep(wait).await;
                }
                read => return read,
            }
        }
        contents(&*self.store, &self.run, ids).await
    }

    /// Reads all stored outputs of the parents in one call of the store.
    async fn read_parents(&self) -> Result<IndexMap<String, Parent>, JobError> {
        let contents = self.read_contents(&stored_outputs(&self.parents)).await;
        let contents = contents.map_err(JobError::Unreadable)?;
        Ok(filled(&self.parents, &contents)?)
    }
}
