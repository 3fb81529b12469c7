//! Errors: why a goal did not lead to a report.

use zeph_executor::{AlreadyRegistered, TaskErrorRecord};
use zeph_graph::wire::Diagnostics;
use zeph_graph::{RunId, Spent};
use zeph_planfile::BadMetadata;
use zeph_planner::LlmContextErrors;
use zeph_runtime::RuntimeError;

/// Why a goal did not lead to a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrchestratorError {
    /// Agents, models and tools do not fit together.
    #[error("the llm_context does not fit together: {0}")]
    LlmContext(#[from] LlmContextErrors),
    /// One of the host's actions has a name that a role needs.
    #[error(transparent)]
    Action(#[from] AlreadyRegistered),
    /// The run cannot be started, resumed or read.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// There is no randomness for the run's seed.
    #[error("the system has no randomness to give; set a seed")]
    NoRandomness,
    /// The goal makes no graph.
    #[error("the goal cannot begin a run: {0}")]
    Goal(#[from] Diagnostics),
    /// The run was not begun by a goal or plan of this kind.
    #[error(transparent)]
    Metadata(#[from] BadMetadata),
    /// The run ended without a plan: nothing was executed.
    #[error("run {run} has no plan: {} [{}]", .error.message, .error.code)]
    NoPlan {
        /// The run.
        run: RunId,
        /// What `plan` or `adopt` said, with a code such as `plan_defective` or `too_many_rounds`.
        error: Box<TaskErrorRecord>,
        /// What it cost all the same.
        spent: Spent,
    },
    /// The journal could not be written. What was saved is kept, and the run can be resumed.
    #[error(
        "run {run}: the journal cannot be written ({reason}); mend the store, then resume the run"
    )]
    Lost {
        /// The run.
        run: RunId,
        /// What the store said.
        reason: String,
    },
    /// What a task left is not of the form that its action promises.
    #[error("run {run}: what the task {task:?} left cannot be read: {source}")]
    Unreadable {
        /// The run.
        run: RunId,
        /// The task.
        task: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}
