//! The model port: requests, answers, and what stands between them.
//!
//! An [`LlmProvider`] answers an [`LlmRequest`] with an [`LlmResponse`]. What it can do is a value, its
//! [`Capabilities`]; what goes wrong is an [`LlmError`] that says whether another call may help.
//!
//! Around a provider, each a provider again, in the order in which they are put on:
//!
//! | | |
//! |---|---|
//! | [`Retrying`] | further calls after errors that may pass, behind a [`Gate`] that all callers share |
//! | [`FallbackChain`] | the next provider when one cannot answer |
//! | [`Recording`], [`Replaying`] | a [`Tape`] of calls, and nothing but what is on it |
//!
//! [`LlmProviderExt`] asks for a value of a Rust type or a JSON Schema, which is [rewritten](rewrite) for
//! the service and validated here. [`provider_fn`] and [`ScriptedProvider`] need no service;
//! [`conformance::check`] tries a provider of your own.

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
pub use fallback::{FallbackChain, around_links};
pub use json::{JsonError, JsonLimits, ReadJson, Tolerated, read_json, read_json_where};
pub use message::{Message, ToolCall};
pub use provider::{LlmProvider, LlmStream, StreamPart, collect};
pub use request::{LlmRequest, OutputFormat, OutputSchema, Purpose, ToolChoice, ToolSpec};
pub use response::{LlmResponse, StopReason, Usage};
pub use retry::{Gate, RetryPolicy, Retrying};
pub use schema::{SchemaProblem, SchemaProblemKind, SchemaProblems, rewrite, schema_of};
pub use scripted::{Reply, RequestFault, ScriptedProvider, request_faults};
pub use typed::{AnswerSchema, Fallback, LlmProviderExt, Problem, SchemaMode, Typed, TypedError};

pub use async_trait::async_trait;
