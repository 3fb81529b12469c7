//! Attempts: one call of an executor, from its inputs to its result.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;
use zeph_common::format_size;
use zeph_executor::{
    Artifact, Executor, Item, Parent, Redact, TaskContext, TaskError, TaskErrorRecord, TaskInput,
    TaskOutput, check_value_size,
};
use zeph_graph::{ContentId, Params, RunId, SuppliedWhy};
use zeph_memory::{Content, RawGraphStore, StoreError};

use crate::content::{ContentParts, redacted_output};
use crate::driver::Failure;
use crate::error::RuntimeError;
use crate::parents::{ParentOutput, ParentRef, filled, stored_contents, stored_outputs};
use crate::restore::contents;
use crate::same_inputs::Comparison;

/// Everything that an attempt needs; owned by the attempt's own tokio task.
pub(crate) struct AttemptJob {
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) run: RunId,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) context: TaskContext,
    pub(crate) params: Params,
    pub(crate) preparation: Option<Params>,
    pub(crate) parents: Vec<ParentRef>,
    pub(crate) work: AttemptWork,
    /// The stored error of the attempt before this one.
    pub(crate) previous_error: Option<ContentId>,
    pub(crate) max_output_bytes: usize,
    pub(crate) redact: Option<Arc<dyn Redact>>,
    /// What a preparation compares with the run that this run retries.
    pub(crate) comparison: Option<Comparison>,
    /// Whether a preparation looks for results of other runs.
    pub(crate) finds_results: bool,
}

/// What an attempt does.
pub(crate) enum AttemptWork {
    /// It calls its executor.
    Whole,
    /// It calls its executor with one item of this list.
    Item { list: ParentOutput, index: u32 },
    /// It collects the results of items, and calls no executor.
    Collect(Vec<ParentRef>),
}

/// The results of items are read in pages of this size.
const PAGE: usize = 100;

/// An attempt's result, with the form in which it is stored; `None` for the null value.
pub(crate) type JobResult = Result<(Arc<TaskOutput>, Option<ContentParts>), JobError>;

/// The outcome of a preparation.
pub(crate) enum PreparedJob {
    Run,
    Supply(SuppliedResult),
}

/// A result of an earlier run.
pub(crate) struct SuppliedResult {
    pub(crate) output: Arc<TaskOutput>,
    pub(crate) why: SuppliedWhy,
    /// The run that made it, if it is not the one that this run retries.
    pub(crate) from: Option<RunId>,
}

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
        if let AttemptWork::Collect(items) = &self.work {
            return Box::pin(self.collect(items)).await;
        }
        let input = self.input().await?;
        let output = self.executor.execute(&self.context, input).await?;
        self.check(&output)?;
        Ok(output)
    }

    pub(crate) fn check(&self, output: &TaskOutput) -> Result<(), TaskError> {
        check_value_size(&output.value, self.max_output_bytes)?;
        output.check_blobs()?;
        if output.blobs.contains_key("") {
            let error = TaskError::permanent("a blob of the output has no name: give it one");
            return Err(error.with_code("unnamed_blob"));
        }
        Ok(())
    }

    pub(crate) async fn input(&self) -> Result<TaskInput, JobError> {
        let parents = self.read_parents().await?;
        let item = match &self.work {
            AttemptWork::Item { list, index } => {
                Some(Box::pin(self.read_item(list, *index)).await?)
            }
            AttemptWork::Whole | AttemptWork::Collect(_) => None,
        };
        let json = |params: &Params| {
            params.to_value().map_err(|error| {
                TaskError::permanent("the task's parameters are not JSON")
                    .with_code("invalid_params")
                    .with_source(error)
            })
        };
        Ok(TaskInput {
            params: json(&self.params)?,
            parents,
            preparation: self.preparation.as_ref().map_or(Ok(Value::Null), json)?,
            item,
            previous_error: self.read_previous_error().await?,
        })
    }

    async fn read_previous_error(&self) -> Result<Option<TaskErrorRecord>, JobError> {
        let ids: Vec<ContentId> = self.previous_error.into_iter().collect();
        let contents = self.read_contents(&ids).await;
        let contents = contents.map_err(JobError::Unreadable)?;
        // An error that this version cannot read explains nothing, and is in the journal.
        let read = |part: &Content| serde_json::from_slice(&part.bytes).ok();
        Ok(contents.first().and_then(read))
    }

    async fn read_item(&self, list: &ParentOutput, index: u32) -> Result<Item, JobError> {
        let ids: Vec<ContentId> = list.stored().into_iter().collect();
        let contents = self
            .read_contents(&ids)
            .await
            .map_err(JobError::Unreadable)?;
        let list = list.read(&contents)?;
        let item = list
            .as_ref()
            .and_then(|list| list.value.get(index as usize));
        let item = item.ok_or_else(|| {
            TaskError::permanent("the list of the task does not have the item")
                .with_code("unreadable_output")
        })?;
        let value = item.clone();
        Ok(Item { index, value })
    }

    /// The list of the results of all items, with null for each item that has none, and their artifacts under the
    /// names `INDEX/NAME`.
    async fn collect(&self, items: &[ParentRef]) -> Result<TaskOutput, JobError> {
        let mut values = Vec::with_capacity(items.len());
        let mut room = self.max_output_bytes;
        let mut list = TaskOutput::null();
        let mut artifact_bytes = 0;
        for page in items.chunks(PAGE) {
            let contents = self.read_contents(&stored_outputs(page)).await;
            let contents = contents.map_err(JobError::Unreadable)?;
            for item in page {
                let output = item.output.read(&contents)?;
                let index = values.len();
                for mut artifact in output.iter().flat_map(|output| output.artifacts()) {
                    artifact.name = format!("{index}/{}", artifact.name);
                    artifact_bytes += artifact.bytes.len() as u64;
                    list = list.with_artifact(artifact);
                }
                check_artifacts(artifact_bytes)?;
                let value = output.map_or(Value::Null, |output| output.value.clone());
                // A comma or a bracket follows each value.
                let bytes = value.to_string().len() + 1;
                room = room.checked_sub(bytes).ok_or_else(|| {
                    TaskError::permanent(format!(
                        "the results of the {} items are larger than {} bytes together; return less from each, or write files and return their names",
                        items.len(),
                        self.max_output_bytes
                    ))
                    .with_code("output_too_large")
                })?;
                values.push(value);
            }
        }
        list.value = Value::Array(values);
        Ok(list)
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

    /// Reads all stored outputs and errors of the parents in one call of the store.
    async fn read_parents(&self) -> Result<IndexMap<String, Parent>, JobError> {
        let contents = self.read_contents(&stored_contents(&self.parents)).await;
        let contents = contents.map_err(JobError::Unreadable)?;
        Ok(filled(&self.parents, &contents)?)
    }
}

/// Checks the artifacts of all items against the limit of a task.
fn check_artifacts(bytes: u64) -> Result<(), TaskError> {
    if bytes <= Artifact::MAX_TOTAL_BYTES {
        return Ok(());
    }
    let (bytes, most) = (format_size(bytes), format_size(Artifact::MAX_TOTAL_BYTES));
    let message = format!(
        "the artifacts of the items: {bytes}, more than the {most} that are kept of a task; keep less of each"
    );
    Err(TaskError::permanent(message).with_code("artifact_too_large"))
}
