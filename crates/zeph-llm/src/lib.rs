//! The model port: requests, answers, and what stands between them.
//!
//! An [`LlmProvider`] answers an [`LlmRequest`] with an [`LlmResponse`]. What it can do is a value, its
//! [`Capabilities`]; what goes wrong is an [`LlmError`] that says whether another call may help.

mod capability;
mod cassette;
mod closure;
pub mod conformance;
mod count;
mod error;
mod fallback;
mod json;
mod message;
mod provider;
mod request;
mod response;
mod retry;
mod schema;
mod scripted;
mod typed;

pub use capability::{Capabilities, Dialect, Prices, SchemaSupport};
pub use cassette::{Recording, Replaying, Tape, TapeError};
pub use closure::{ProviderFn, provider_fn};
#[cfg(feature = "tiktoken")]
pub use count::TiktokenCounter;
pub use count::{EstimatingCounter, TokenCounter};
pub use error::{ErrorKind, LlmError};
pub use fallback::FallbackChain;
pub use json::{JsonError, JsonLimits, ReadJson, Tolerated, read_json, read_json_where};
pub use message::{Message, ToolCall};
pub use provider::{LlmProvider, LlmStream, StreamPart, collect};
pub use request::{LlmRequest, OutputFormat, OutputSchema, ToolChoice, ToolSpec};
pub use response::{LlmResponse, StopReason, Usage};
pub use retry::{Gate, RetryPolicy, Retrying};
pub use schema::{SchemaProblem, SchemaProblemKind, SchemaProblems, rewrite, schema_of};
pub use scripted::{Reply, RequestFault, ScriptedProvider, request_faults};
pub use typed::{AnswerSchema, Fallback, LlmProviderExt, Problem, SchemaMode, Typed, TypedError};

pub use async_trait::async_trait;
