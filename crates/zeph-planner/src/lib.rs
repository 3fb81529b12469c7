//! Planner, agents and aggregator: the tasks of a run that call a model.
//!
//! - [`plan`]: a goal becomes a plan, a plan file, and tasks of a run.
//! - [`agent`]: an agent executes a task with a model and tools.
//! - [`answer`]: the results become one answer.
//!
//! All three work with an [`LlmContext`]: models, agents, tools, prompts, sanitizer and limits. Each call
//! of a model takes its cost from the run's budget and is noted in its journal; [`replay`] repeats an
//! attempt from these notes and compares.

pub mod agent;
pub mod answer;
mod call;
pub mod plan;
mod prompt_budget;
pub mod prompts;
pub mod replay;
mod water_fill;

pub use call::{
    CallError, LlmContext, LlmContextBuilder, LlmContextLimits, PromptNote, ReplyNote,
    ReservedCost, code,
};
