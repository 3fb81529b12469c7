//! Goals: from a sentence to a plan, to tasks that run, to one answer.

mod build;
mod confirm;
mod error;
mod report;

mod llm_context;
mod run;

mod compile;
mod roles;

pub use build::{Orchestrator, OrchestratorBuilder};
pub use compile::PlanFiles;
pub use confirm::{Confirm, Decide, Proposed, Verdict};
pub use error::OrchestratorError;
pub use report::{Report, TaskResult};
pub use roles::{Roles, run_seed};
