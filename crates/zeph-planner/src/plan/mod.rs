//! Planning: requests, the planner, plans and their files, and the actions `plan` and `adopt`.

mod accepted;
mod cache;
mod command;
mod failure;
mod file;
mod finding;
mod limits;
mod llm;
mod matching;
mod name;
mod plan_tasks;
mod planner;
mod read;
mod request;
mod schema;

pub use accepted::{Estimate, Plan, PlannedTask, PlannedWork, TaskKind};
pub use cache::CachedPlanner;
pub use command::Commands;
pub use failure::{PlanError, PlanFailure, PlanTry};
pub use finding::{FindingKind, PlanFinding, code, repair, warning};
pub use limits::{PlanLimits, PlanRights, PriceList};
pub use llm::{FallbackPlan, LlmPlanner};
pub(crate) use plan_tasks::extension;
pub use plan_tasks::{
    ADOPT, ANSWER, AdoptExecutor, AdoptParams, Adopted, PLAN, PlanCompiler, PlanExecutor,
    PlanOutput, PlanParams, edited_plan, goal_graph,
};
pub use planner::{PlanEvent, PlanStream, Planner, finish};
pub use read::{Reading, read_answer, read_plan};
pub use request::{EarlierTask, PlanRequest, WrapProvider};
