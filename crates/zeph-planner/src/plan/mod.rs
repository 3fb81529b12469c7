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

mod cache;
mod llm;

mod flow;

pub use accepted::{Estimate, Plan, PlanOnFailure, PlanTrigger, PlannedTask, PlannedWork};
pub use cache::{CacheError, CachedPlanner, FolderCache, MemoryCache, PlanCache, PlanKey};
pub use command::{Argument, ArgumentKind, BadTemplate, CommandTemplate, Commands};
pub use document::{ArgumentDocument, PlanDocument, TaskDocument, TaskKind, plan_schema};
pub use failure::{PlanError, PlanFailure, PlanTry};
pub use finding::{
    MAX_FINDINGS, PlanCode, PlanDiagnostic, PlanRepair, PlanWarning, RepairCode, WarningCode,
};
pub use flow::{
    ADOPT, ANSWER, AdoptExecutor, AdoptParams, Adopted, FileProblem, PLAN, PlanCompiler,
    PlanExecutor, PlanOutput, PlanParams, goal_graph,
};
pub use limits::{PlanLimits, PlanRights, PriceList};
pub use llm::LlmPlanner;
pub use planner::{FixedPlanner, PlanEvent, PlanStream, Planner, finish};
pub use read::{Reading, read_plan};
pub use request::{Around, PlanRequest};
