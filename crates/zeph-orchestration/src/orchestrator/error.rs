//! Errors of the orchestrator.

use std::path::PathBuf;

use zeph_executor::AlreadyRegistered;
#[cfg(feature = "planner")]
use zeph_executor::TaskErrorRecord;
use zeph_graph::RunId;
#[cfg(feature = "planner")]
use zeph_graph::{Spent, wire::Diagnostics};
#[cfg(feature = "planfile")]
use zeph_planfile::BadMetadata;
use zeph_runtime::RuntimeError;
#[cfg(feature = "planfile")]
use zeph_sanitizer::SecretError;

/// The error of building an orchestrator, or of running, reading or answering a run.
#[derive(Debug, thiserror::Error)]
pub enum OrchestratorError {
    /// An executor of the host has the name of a built-in action.
    #[error(transparent)]
    Action(#[from] AlreadyRegistered),
    /// The run cannot be started, resumed or read.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// There is no randomness for the run's seed.
    #[error("the system has no random bytes for the run's seed; set a seed")]
    NoRandomness,
    /// The folder in which commands and tools work does not exist any more.
    #[error("the folder of the run does not exist: {}", .folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder is stored with the run as text, and its name is not UTF-8.
    #[error("the name of the folder {} is not UTF-8", .folder.display())]
    FolderName {
        /// The folder.
        folder: PathBuf,
    },
    /// The journal could not be written. Saved records remain, and the run can be resumed.
    #[error("run {run}: the store failed ({reason}); repair it, then resume the run")]
    Lost {
        /// The run.
        run: RunId,
        /// The error of the store.
        reason: String,
    },
    /// A secret cannot be redacted, and the run is refused.
    #[cfg(feature = "planfile")]
    #[error("a secret cannot be redacted, so nothing was run: {0}")]
    Secret(#[from] SecretError),
    /// A plan or the value of a parameter has a secret of the host. Both are stored as they are.
    #[cfg(feature = "planfile")]
    #[error("{place} has the value of {secret}, and would be stored")]
    SecretStored {
        /// The task or the parameter.
        place: String,
        /// The name of the secret.
        secret: String,
    },
    /// The run's plan has secret parameters, which are not stored and were not given.
    #[cfg(feature = "planfile")]
    #[error("run {run}: secrets are not stored and must be given again: {}", .names.join(", "))]
    MissingSecrets {
        /// The run.
        run: RunId,
        /// The parameters.
        names: Vec<String>,
    },
    /// The metadata of the run's graph are not what a plan file stores.
    #[cfg(feature = "planfile")]
    #[error(transparent)]
    Metadata(#[from] BadMetadata),
    /// Tasks name agents or tools that do not exist or may not be used.
    #[cfg(feature = "planner")]
    #[error("{0}")]
    Agents(zeph_diagnostics::Diagnostics),
    /// Agents, models and tools do not fit together.
    #[cfg(feature = "planner")]
    #[error("{0}")]
    LlmContext(zeph_diagnostics::Diagnostics),
    /// Command templates of the settings are wrong.
    #[cfg(feature = "planner")]
    #[error("{0}")]
    CommandTemplates(zeph_diagnostics::Diagnostics),
    /// A goal needs a model, and the orchestrator has none.
    #[cfg(feature = "planner")]
    #[error("the orchestrator has no model to plan with")]
    NoModel,
    /// The run's money is limited, and the price of its model is unknown.
    #[cfg(feature = "planner")]
    #[error("a cost limit is set, but no price is known for model {model}")]
    UnknownPrice {
        /// The model.
        model: String,
    },
    /// The run's money is limited, and the price of an agent that is a program is unknown.
    #[cfg(feature = "planner")]
    #[error("a cost limit is set, but the agent {agent} is a program without a price")]
    UnknownAgentPrice {
        /// The agent.
        agent: String,
    },
    /// No run can be made of the goal.
    #[cfg(feature = "planner")]
    #[error("no run can be made of the goal: {0}")]
    Goal(#[from] Diagnostics),
    /// The run ended without a plan: nothing was executed.
    #[cfg(feature = "planner")]
    #[error("run {run} has no plan: {} [{}]", .error.message, .error.code)]
    NoPlan {
        /// The run.
        run: RunId,
        /// The error of `plan` or `adopt`, with a code such as `plan_defective` or `too_many_rounds`.
        error: Box<TaskErrorRecord>,
        /// The cost of the run.
        spent: Spent,
    },
}
