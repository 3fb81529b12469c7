//! Calls of models on behalf of a task: what they may cost, what is kept of them, whom they go to.

mod builder;
mod crew;
mod error;
mod line;
mod metered;
mod notes;
mod quote;

pub use builder::{CrewBuilder, CrewError, CrewErrors};
pub use crew::{Crew, CrewLimits, Unlisted};
pub use error::task_error;
pub(crate) use line::metered_and_repeated;
pub use line::{Line, until_stopped};
pub use metered::{Metered, Tally};
pub use notes::{CallError, PromptNote, ReplyNote};
pub(crate) use quote::within_window;
pub use quote::{DEFAULT_OUTPUT_TOKENS, USEFUL_OUTPUT_TOKENS};
