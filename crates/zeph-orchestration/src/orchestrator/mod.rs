//! Plan files, goals and graphs as runs: one composition, one way to follow a run, one report.

mod builder;
mod error;
mod spec;

mod compose;
mod follow;
#[cfg(feature = "command")]
mod hooks;
mod report;
mod run;
mod watch;

#[cfg(feature = "planfile")]
mod command_input;
#[cfg(feature = "planfile")]
mod plan_files;
#[cfg(feature = "planfile")]
mod redact;

#[cfg(feature = "planner")]
mod agent_check;
#[cfg(feature = "planner")]
mod approvals;
#[cfg(feature = "planner")]
mod confirm;
#[cfg(feature = "planner")]
mod model_checks;
#[cfg(feature = "planner")]
mod models;

pub use builder::{Orchestrator, OrchestratorBuilder};
pub use error::OrchestratorError;
pub use follow::{Ask, Follower, Stop, Update};
#[cfg(feature = "command")]
pub use hooks::{Hook, HookFailure, Hooks};
pub use report::{RunOutcome, RunResults};
pub use spec::RunSpec;
pub use watch::Watcher;

#[cfg(feature = "planfile")]
pub use command_input::{command_input, reads_result};
#[cfg(feature = "planfile")]
pub use plan_files::{LoadedPlan, PlanFileError, PlanFiles, PlanSource};

#[cfg(feature = "mcp")]
pub(crate) use redact::redactor;

#[cfg(feature = "planner")]
pub use agent_check::{agent_problems, edited_plan_problems};
#[cfg(feature = "planner")]
pub use confirm::{Confirm, Decide, Decision, ProposedPlan, plan_in_view, plan_questions};
#[cfg(feature = "planner")]
pub use model_checks::{models_of_tasks, needs_model};
