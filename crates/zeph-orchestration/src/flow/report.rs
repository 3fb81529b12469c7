//! The report of a flow, with its values.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use zeph_executor::TaskError;
use zeph_graph::{ContentId, Output, RunId, TaskGraph, TaskId, TaskState, wire};
use zeph_memory::RawGraphStore;
use zeph_runtime::{RunHandle, RunReport, RunView, RuntimeError};

use super::body::Shared;
use super::inputs::{Handle, find};

/// The number of results that one call of the store reads; that many are in memory twice.
const CHUNK: usize = 256;

/// The error of a flow that cannot run, or of a value that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The run cannot be started or followed.
    #[error(transparent)]
    Run(#[from] RuntimeError),
    /// The task has no result.
    #[error("task {task:?} has no result: it is {state}")]
    NoValue {
        /// The task.
        task: String,
        /// The state of the task.
        state: &'static str,
    },
    /// The result cannot be read.
    #[error("the result of task {task:?} cannot be read: {reason}")]
    BadValue {
        /// The task.
        task: String,
        /// The reason.
        reason: TaskError,
    },
}

/// A flow that was started: its [`RunHandle`], until [`wait`](Self::wait) returns the report.
pub struct FlowRun {
    pub(super) handle: RunHandle,
    pub(super) shared: Arc<OnceLock<Shared>>,
    pub(super) store: Arc<dyn RawGraphStore>,
}

impl std::fmt::Debug for FlowRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FlowRun").field(&self.handle).finish()
    }
}

impl Deref for FlowRun {
    type Target = RunHandle;

    fn deref(&self) -> &RunHandle {
        &self.handle
    }
}

impl FlowRun {
    /// Waits until the flow has ended or is suspended, and reads its results.
    ///
    /// # Errors
    /// If the engine or its store failed, also while the flow was running: what was saved is kept.
    pub async fn wait(self) -> Result<FlowReport, FlowError> {
        let run = self.handle.wait().await?;
        if let Some(reason) = &run.error {
            let reason = reason.clone();
            return Err(RuntimeError::Closed { reason }.into());
        }
        FlowReport::read(self.shared, &*self.store, run).await
    }
}

/// The [report](RunReport) of a flow, with typed access to the values of its tasks.
pub struct FlowReport {
    shared: Arc<OnceLock<Shared>>,
    run: Arc<RunReport>,
    // The stored JSON of each completed task.
    stored: BTreeMap<TaskId, Value>,
}

impl Deref for FlowReport {
    type Target = RunReport;

    fn deref(&self) -> &RunReport {
        &self.run
    }
}

impl std::fmt::Debug for FlowReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowReport")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl FlowReport {
    /// The report of a run that has ended already, if it was a run of this graph.
    pub(super) async fn stored(
        shared: Arc<OnceLock<Shared>>,
        store: Arc<dyn RawGraphStore>,
        run: &RunId,
        graph: &TaskGraph,
    ) -> Result<Self, FlowError> {
        let view = RunView::load(&*store, run).await?;
        let differences = wire::diff(view.graph(), graph);
        if !differences.is_empty() {
            let run = run.clone();
            return Err(RuntimeError::GraphChanged { run, differences }.into());
        }
        Self::read(shared, &*store, Arc::new(view.report())).await
    }

    /// Reads the stored outputs of the completed tasks.
    async fn read(
        shared: Arc<OnceLock<Shared>>,
        store: &dyn RawGraphStore,
        run: Arc<RunReport>,
    ) -> Result<Self, FlowError> {
        let mut stored = BTreeMap::new();
        let mut wanted = Vec::new();
        for task in &run.tasks {
            let TaskState::Completed { output } = task.state else {
                continue;
            };
            match (output, &task.defined) {
                (Output::Content(id), _) => wanted.push((id, task.id)),
                (Output::Definition, Some(value)) => {
                    stored.insert(task.id, value.clone());
                }
                // An executor without an output counts as one that returned null.
                (Output::None | Output::Definition, _) => {
                    stored.insert(task.id, Value::Null);
                }
            }
        }
        for chunk in wanted.chunks(CHUNK) {
            let ids: Vec<ContentId> = chunk.iter().map(|(id, _)| *id).collect();
            let parts = store.contents(&run.run, &ids).await;
            let parts = parts.map_err(|error| RuntimeError::Store {
                run: run.run.clone(),
                source: Arc::new(error),
            })?;
            // A task and its fallback have one result.
            let mut owners: BTreeMap<ContentId, Vec<TaskId>> = BTreeMap::new();
            for &(id, task) in chunk {
                owners.entry(id).or_default().push(task);
            }
            // The part without a name is the value; others are blobs.
            for part in parts.iter().filter(|part| part.name.is_empty()) {
                let value = serde_json::from_slice::<Value>(&part.bytes);
                let value = value.map_err(|error| RuntimeError::Unreadable {
                    run: run.run.clone(),
                    reason: format!("a stored output is not JSON: {error}"),
                })?;
                let owners = owners.get(&part.id).into_iter().flatten();
                stored.extend(owners.map(|task| (*task, value.clone())));
            }
        }
        Ok(Self {
            shared,
            run,
            stored,
        })
    }

    /// The result of a task.
    ///
    /// # Errors
    /// If the task has none, or its stored form does not fit the type.
    pub fn get<T: Send + Sync + 'static>(&self, handle: Handle<T>) -> Result<Arc<T>, FlowError> {
        let task = self.run.tasks.get(handle.id().index());
        let (name, state) = match task {
            Some(task) => (Arc::clone(&task.name), task.state.word()),
            None => ("?".into(), "unknown"),
        };
        let none = || FlowError::NoValue {
            task: name.to_string(),
            state,
        };
        let shared = self.shared.get().ok_or_else(none)?;
        let (Some(value), Some(read)) = (
            self.stored.get(&handle.id()),
            shared.readers.get(&handle.id()),
        ) else {
            return Err(none());
        };
        match find(&shared.values, &name, read, value) {
            Ok(value) => value.ok_or_else(none),
            Err(reason) => Err(FlowError::BadValue {
                task: name.to_string(),
                reason,
            }),
        }
    }
}
