//! The port for language models: requests, responses, and what every caller of a model needs.
//!
//! An [`LlmProvider`] answers an [`LlmRequest`] with an [`LlmResponse`]. Its abilities are a value,
//! [`Capabilities`]; an [`LlmError`] says whether another call may help. [`Retrying`] repeats calls after
//! such errors, behind a [`Gate`] that all callers of a service share.
//!
//! [`AnswerSchema`] asks for an answer by a JSON Schema and validates it; [`read_json`] reads the JSON in
//! an answer. [`provider_fn`] and [`ScriptedProvider`] need no service; [`conformance::check`] tests a
//! provider of your own.

mod answer_schema;
mod capability;
mod closure;
pub mod conformance;
mod count;
mod error;
mod json;
mod message;
mod provider;
mod reasoning;
mod request;
mod response;
mod retry;
mod scripted;
mod strict_schema;

pub use answer_schema::{AnswerError, AnswerSchema, Problem, SchemaAnswer, SchemaError};
pub use capability::{Capabilities, Prices, SchemaSupport};
pub use closure::{ProviderFn, provider_fn};
pub use count::{EstimatingCounter, TokenCounter};
pub use error::{ErrorKind, LlmError};
pub use json::{
    JsonError, Notation, ReadJson, Tolerated, read_finished_json, read_json, read_json_values,
};
pub use message::{Message, ToolCall};
pub use provider::{LlmProvider, LlmStream, StreamPart, collect, whole_stream};
pub use reasoning::Reasoning;
pub use request::{LlmRequest, OutputFormat, OutputSchema, Purpose, ToolChoice, ToolSpec};
pub use response::{LlmResponse, StopReason, Usage};
pub use retry::{Gate, RetryPolicy, Retrying};
pub use scripted::{Reply, ScriptedProvider};

pub use async_trait::async_trait;
pub use zeph_common::Effort;
