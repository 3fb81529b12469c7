//! Attempts: one call of an executor, from its inputs to its report, panics included.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use zeph_executor::{
    ErrorClass, Executor, Parent, ParentState, TaskContext, TaskError, TaskErrorRecord, TaskInput,
    TaskOutput, check_value_size,
};
use zeph_graph::{ContentId, Fault, Params, RunId};
use zeph_memory::RawGraphStore;

use crate::content::{Parts, read_output};

/// Everything that an attempt needs, gathered by the engine and owned by the attempt's own task.
pub(crate) struct Job {
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) run: RunId,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) context: TaskContext,
    pub(crate) params: Params,
    pub(crate) parents: Vec<ParentRef>,
    pub(crate) max_output_bytes: usize,
}

/// A parent's result, at hand or still in the store.
pub(crate) struct ParentRef {
    pub(crate) name: Arc<str>,
    pub(crate) state: ParentState,
    pub(crate) output: Source,
}

pub(crate) enum Source {
    None,
    Here(Arc<TaskOutput>),
    Stored(ContentId),
}

/// How an attempt ended.
pub(crate) enum Report {
    Done {
        output: Arc<TaskOutput>,
        parts: Option<Parts>,
    },
    Failed {
        fault: Fault,
        error: TaskErrorRecord,
        retry_after: Option<Duration>,
    },
}

impl Report {
    pub(crate) fn of_error(error: &TaskError) -> Self {
        let fault = match error.class() {
            // Nobody told it to stop, or the machine would not ask: it is an error like any other.
            ErrorClass::Retryable | ErrorClass::Cancelled => Fault::Error,
            ErrorClass::Permanent => Fault::Permanent,
            ErrorClass::Refused => Fault::Refused,
            ErrorClass::OverBudget => Fault::Budget,
        };
        Self::Failed {
            fault,
            error: error.into(),
            retry_after: error.retry_after(),
        }
    }

    /// The executor panicked; only this attempt is concerned.
    pub(crate) fn of_panic(payload: Box<dyn std::any::Any + Send>) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        // The payload may panic again when it is dropped.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(payload)));
        let text = text.as_deref().unwrap_or("no message");
        let error = TaskError::retryable(format!("the executor panicked: {text}"));
        let error = error.with_code("panicked");
        Self::Failed {
            fault: Fault::Panicked,
            error: (&error).into(),
            retry_after: None,
        }
    }
}

impl Job {
    pub(crate) async fn perform(self) -> Report {
        match self.work().await {
            Ok(output) => {
                let parts = Parts::of_output(&output);
                Report::Done {
                    output: Arc::new(output),
                    parts,
                }
            }
            Err(error) => Report::of_error(&error),
        }
    }

    async fn work(self) -> Result<TaskOutput, TaskError> {
        let parents = self.gather().await?;
        let params = self.params.to_value().map_err(|error| {
            TaskError::permanent("the task's parameters are not JSON")
                .with_code("invalid_params")
                .with_source(error)
        })?;
        let input = TaskInput { params, parents };
        let output = self.executor.execute(&self.context, input).await?;
        check_value_size(&output.value, self.max_output_bytes)?;
        if output.blobs.contains_key("") {
            let error = TaskError::permanent("a blob has no name; give it one");
            return Err(error.with_code("unnamed_blob"));
        }
        Ok(output)
    }

    /// Reads what is not at hand, in one call of the store.
    async fn gather(&self) -> Result<IndexMap<String, Parent>, TaskError> {
        let stored = |parent: &ParentRef| match parent.output {
            Source::Stored(id) => Some(id),
            Source::None | Source::Here(_) => None,
        };
        let ids: Vec<ContentId> = self.parents.iter().filter_map(stored).collect();
        let contents = if ids.is_empty() {
            Vec::new()
        } else {
            self.store
                .contents(&self.run, &ids)
                .await
                .map_err(|error| {
                    TaskError::retryable("the output of a task that this one needs cannot be read")
                        .with_code("parent_unreadable")
                        .with_source(error)
                })?
        };
        let mut parents = IndexMap::with_capacity(self.parents.len());
        for parent in &self.parents {
            let output = match &parent.output {
                Source::None => None,
                Source::Here(output) => Some(Arc::clone(output)),
                Source::Stored(id) => {
                    let parts: Vec<_> = contents
                        .iter()
                        .filter(|part| part.id == *id)
                        .cloned()
                        .collect();
                    Some(read_output(&parts)?)
                }
            };
            parents.insert(
                parent.name.to_string(),
                Parent {
                    state: parent.state,
                    output,
                },
            );
        }
        Ok(parents)
    }
}
