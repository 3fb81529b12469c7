//! Planner, agents and aggregator: the actions of a run that call a model.
//!
//! - [`plan`]: a model turns a goal into a plan; its plan file becomes tasks of the run.
//! - [`agent`]: an agent executes a task with a model and tools.
//! - [`check`]: a schema or a model decides whether a result is accepted.
//! - [`answer`]: an aggregator combines the results of the tasks into one answer.
//!
//! They work with an [`LlmContext`]: models, agents, tools, prompts, sanitizer and limits. Each call
//! of a model takes its cost from the run's budget and is noted in its journal. [`replay`] repeats an
//! attempt with the noted replies, and compares its requests with the noted ones.

pub mod agent;
pub mod answer;
mod call;
pub mod check;
pub mod plan;
mod prompt_budget;
pub mod prompts;
pub mod replay;
mod share_search;
mod water_fill;

pub use call::{
    CallError, LlmContext, LlmContextBuilder, LlmContextLimits, PromptNote, ReplyNote,
    ReservedCost, code, unsupported_by,
};
