//! The roles of a model: planner, agent, aggregator.

mod agent;
mod answer;
mod call;
mod fill;
mod plan;
mod portion;
mod prompts;
mod replay;
mod tool;

pub use agent::{
    AgentExecutor, AgentParams, OutputParam, ParentShown, RouteNote, ToolNote, ToolOutcome,
};
pub use answer::{
    Aggregator, Answer, AnswerExecutor, AnswerLimits, AnswerParams, AnswerTask,
    DeterministicAggregator, LlmAggregator, Material, Missing, TaskResult, Written,
};
pub use call::{
    CallError, DEFAULT_OUTPUT_TOKENS, LlmContext, LlmContextBuilder, LlmContextError,
    LlmContextErrors, LlmContextLimits, Metered, ModelClient, PromptNote, ReplyNote, Tally,
    USEFUL_OUTPUT_TOKENS, Unlisted, task_error, until_stopped,
};
pub use plan::{
    ADOPT, ANSWER, AdoptExecutor, AdoptParams, Adopted, Argument, ArgumentDocument, ArgumentKind,
    Around, BadTemplate, CacheError, CachedPlanner, CommandTemplate, Commands, Estimate,
    FileProblem, FixedPlanner, FolderCache, LlmPlanner, MAX_FINDINGS, MemoryCache, PLAN, Plan,
    PlanCache, PlanCode, PlanCompiler, PlanDiagnostic, PlanDocument, PlanError, PlanEvent,
    PlanExecutor, PlanFailure, PlanKey, PlanLimits, PlanOnFailure, PlanOutput, PlanParams,
    PlanRepair, PlanRequest, PlanRights, PlanStream, PlanTrigger, PlanTry, PlanWarning,
    PlannedTask, PlannedWork, Planner, PriceList, Reading, RepairCode, TaskDocument, TaskKind,
    WarningCode, finish, goal_graph, plan_schema, read_plan,
};
pub use prompts::{PromptDefect, PromptDefects, PromptError, PromptFault, PromptName, Prompts};
pub use replay::{Difference, Place, Recorded, RecordedEnd, Replayed, Tape, replay_attempt};
pub use tool::{Tool, ToolFault, ToolOutput, Tools, conformance, tool_fn};
