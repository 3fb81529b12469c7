//! Plans: what is asked for, what comes back, what is mended and checked on the way.

mod limits;
mod name;
mod request;

mod command;

mod document;
mod finding;

mod accepted;
mod file;
mod read;

mod failure;
mod planner;

mod llm;

pub use accepted::{Estimate, Plan, PlanOnFailure, PlanTrigger, PlannedTask, PlannedWork};
pub use command::{Argument, ArgumentKind, BadTemplate, CommandTemplate, Commands};
pub use document::{ArgumentDocument, PlanDocument, TaskDocument, TaskKind, plan_schema};
pub use failure::{PlanError, PlanFailure, PlanTry};
pub use finding::{
    MAX_FINDINGS, PlanCode, PlanDiagnostic, PlanRepair, PlanWarning, RepairCode, WarningCode,
};
pub use limits::{PlanLimits, PlanRights, PriceList};
pub use llm::LlmPlanner;
pub use planner::{FixedPlanner, PlanEvent, PlanStream, Planner, finish};
pub use read::{Reading, read_plan};
pub use request::{Around, PlanRequest};
