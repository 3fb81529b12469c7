//! Model calls of an attempt: their cost, their notes, and the models that they go to.

mod builder;
mod client;
mod context;
mod cost;
mod error;
mod fallback;
mod metered;
mod notes;
mod resumed;
#[cfg(test)]
mod tests;

pub use builder::{LlmContextBuilder, code, unsupported_by};
pub(crate) use client::{AttemptSpend, ModelClient, ReplyKey, until_stopped};
pub use context::{LlmContext, LlmContextLimits};
pub(crate) use cost::within_window;
pub(crate) use error::task_error;
pub(crate) use metered::Metered;
pub use notes::{CallError, PromptNote, ReplyNote, ReservedCost};
pub(crate) use notes::{GroupsNote, bounded_note, request_hash};
pub(crate) use resumed::{EarlierCall, Resumed, Resuming};
