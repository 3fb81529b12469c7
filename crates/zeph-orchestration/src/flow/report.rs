//! Reports: how a flow went, and its values.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use zeph_graph::{RunEnd, RunId, TaskGraph, TaskId, wire};
use zeph_memory::RawGraphStore;
use zeph_runtime::{RunHandle, RunReport, RunView, RuntimeError};
use zeph_subagent::TaskError;

use super::body::Shared;
use super::inputs::{Handle, find};

/// Why a flow cannot run, or a value cannot be had.
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
        /// Where it stands.
        state: &'static str,
    },
    /// The result cannot be read.
    #[error("the result of task {task:?} cannot be read: {reason}")]
    BadValue {
        /// The task.
        task: String,
        /// Why.
        reason: TaskError,
    },
}

/// How a flow went, and the values of its tasks.
pub struct FlowReport {
    shared: Arc<OnceLock<Shared>>,
    run: Option<Arc<RunReport>>,
    // What the journal has of each completed task, by position.
    stored: BTreeMap<TaskId, Value>,
}

impl std::fmt::Debug for FlowReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowReport")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl FlowReport {
    pub(super) const fn new(shared: Arc<OnceLock<Shared>>) -> Self {
        Self {
            shared,
            run: None,
            stored: BTreeMap::new(),
        }
    }

    /// Waits for the run's end and reads the results.
    ///
    /// # Errors
    /// If the engine or its store went away.
    pub async fn wait(mut self, handle: RunHandle) -> Result<Self, FlowError> {
        let run = handle.wait().await?;
        for task in run.tasks.iter().filter(|task| task.state.is_completed()) {
            if let Some(output) = handle.output_of(task).await? {
                self.stored.insert(task.id, output.value.clone());
            }
        }
        self.run = Some(run);
        Ok(self)
    }

    /// The report of a run that has ended already, if it was a run of this graph.
    pub(super) async fn stored(
        shared: Arc<OnceLock<Shared>>,
        store: &dyn RawGraphStore,
        run: &RunId,
        graph: &TaskGraph,
    ) -> Result<Self, FlowError> {
        let view = RunView::load(store, run).await?;
        let differences = wire::diff(view.graph(), graph);
        if !differences.is_empty() {
            let run = run.clone();
            return Err(RuntimeError::GraphChanged { run, differences }.into());
        }
        let mut report = Self::new(shared);
        for id in view.graph().ids() {
            if let Some(output) = view.output(store, id).await? {
                report.stored.insert(id, output.value.clone());
            }
        }
        report.run = Some(Arc::new(view.report()));
        Ok(report)
    }

    /// How the run ended; `None` if it rests or could not be saved.
    #[must_use]
    pub fn end(&self) -> Option<RunEnd> {
        self.run.as_ref()?.end()
    }

    /// How every task stands.
    #[must_use]
    pub fn run(&self) -> Option<&RunReport> {
        self.run.as_deref()
    }

    /// The result of a task.
    ///
    /// # Errors
    /// If the task has none, or what is stored of it does not fit the type.
    pub fn get<T: Send + Sync + 'static>(&self, handle: Handle<T>) -> Result<Arc<T>, FlowError> {
        let tasks = self.run.as_ref().map(|run| &run.tasks);
        let task = tasks.and_then(|tasks| tasks.get(handle.id().index()));
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
        match find(&shared.shelf, &name, read, value) {
            Ok(value) => value.ok_or_else(none),
            Err(reason) => Err(FlowError::BadValue {
                task: name.to_string(),
                reason,
            }),
        }
    }
}
