//! Calls of models on behalf of a task: what they may cost, what is kept of them, whom they go to.

mod error;
mod metered;
mod notes;
mod quote;

pub use error::task_error;
pub use metered::{Metered, Tally};
pub use notes::{CallError, PromptNote, ReplyNote};
pub use quote::{DEFAULT_OUTPUT_TOKENS, USEFUL_OUTPUT_TOKENS};
