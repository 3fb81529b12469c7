//! Calls of models on behalf of a task: what they may cost, what is kept of them, whom they go to.

mod builder;
mod error;
mod llm_context;
mod metered;
mod model_client;
mod notes;
mod quote;

pub use builder::{LlmContextBuilder, LlmContextError, LlmContextErrors};
pub use error::task_error;
pub use llm_context::{LlmContext, LlmContextLimits, Unlisted};
pub use metered::{Metered, Tally};
pub(crate) use model_client::metered_and_repeated;
pub use model_client::{ModelClient, until_stopped};
pub use notes::{CallError, PromptNote, ReplyNote};
pub(crate) use quote::within_window;
pub use quote::{DEFAULT_OUTPUT_TOKENS, USEFUL_OUTPUT_TOKENS};
