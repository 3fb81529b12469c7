//! The roles of a model: planner, agent, aggregator.

mod call;
mod prompts;

pub use call::{
    CallError, DEFAULT_OUTPUT_TOKENS, Metered, PromptNote, ReplyNote, Tally, USEFUL_OUTPUT_TOKENS,
    task_error,
};
pub use prompts::{PromptDefect, PromptDefects, PromptError, PromptFault, PromptName, Prompts};
