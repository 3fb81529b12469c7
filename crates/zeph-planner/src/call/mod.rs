//! Model calls of an attempt: their cost, their notes, and the models that they go to.

mod builder;
mod client;
mod context;
mod cost;
mod error;
mod limits;
mod metered;
mod notes;
mod spend;
#[cfg(test)]
mod tests;

pub use builder::{LlmContextBuilder, code};
pub(crate) use client::{ModelClient, until_stopped};
pub use context::LlmContext;
pub(crate) use cost::within_window;
pub(crate) use error::task_error;
pub use limits::LlmContextLimits;
pub(crate) use metered::Metered;
pub(crate) use notes::request_hash;
pub use notes::{BudgetLeft, CallError, PromptNote, ReplyNote, ReservedCost};
pub(crate) use spend::AttemptSpend;
