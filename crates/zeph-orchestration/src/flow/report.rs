//! Reports: how a flow went, and its values.

use std::sync::{Arc, OnceLock};

use zeph_graph::RunEnd;
use zeph_runtime::{RunHandle, RunReport, RuntimeError};
use zeph_subagent::TaskError;

use super::body::Shared;
use super::inputs::Handle;

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
    stored: Vec<(Arc<str>, serde_json::Value)>,
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
            stored: Vec::new(),
        }
    }

    /// Waits for the run's end and fetches the values that are not at hand.
    ///
    /// # Errors
    /// If the engine or its store went away.
    pub async fn wait(mut self, handle: RunHandle) -> Result<Self, FlowError> {
        let run = handle.wait().await?;
        for task in run.tasks.iter().filter(|task| task.state.is_completed()) {
            if let Some(output) = handle.output(&run, &task.name).await? {
                self.stored
                    .push((Arc::clone(&task.name), output.value.clone()));
            }
        }
        self.run = Some(run);
        Ok(self)
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
        if let Some(value) = shared.shelf.get(&name) {
            return Ok(value);
        }
        let stored = self.stored.iter().find(|(known, _)| *known == name);
        let (Some((_, value)), Some(read)) = (stored, shared.readers.get(&handle.id())) else {
            return Err(none());
        };
        match read(&shared.shelf, &name, value) {
            Ok(_) => shared.shelf.get(&name).ok_or_else(none),
            Err(reason) => Err(FlowError::BadValue {
                task: name.to_string(),
                reason,
            }),
        }
    }
}
