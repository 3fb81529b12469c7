//! The roles of a model: planner, agent, aggregator.

mod call;
mod fill;
mod prompts;
mod tool;

pub use call::{
    CallError, Crew, CrewBuilder, CrewError, CrewErrors, CrewLimits, DEFAULT_OUTPUT_TOKENS, Line,
    Metered, PromptNote, ReplyNote, Tally, USEFUL_OUTPUT_TOKENS, Unlisted, task_error,
    until_stopped,
};
pub use prompts::{PromptDefect, PromptDefects, PromptError, PromptFault, PromptName, Prompts};
pub use tool::{Tool, ToolFault, ToolOutput, Tools, conformance, tool_fn};
