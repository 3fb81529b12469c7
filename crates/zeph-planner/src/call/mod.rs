//! Calls of models on behalf of a task: what they may cost, what is kept of them, whom they go to.

mod crew;
mod error;
mod line;
mod metered;
mod notes;
mod quote;

pub use crew::{Crew, CrewBuilder, CrewError, CrewErrors, CrewLimits, Unlisted};
pub use error::task_error;
pub use line::{Line, until_stopped};
pub use metered::{Metered, Tally};
pub use notes::{CallError, PromptNote, ReplyNote};
pub use quote::{DEFAULT_OUTPUT_TOKENS, USEFUL_OUTPUT_TOKENS};
