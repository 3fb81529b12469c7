//! The port itself: a request in, a response out; or its pieces, as they come.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use crate::{Capabilities, ErrorKind, LlmError, LlmRequest, LlmResponse, ToolCall};

/// Answers requests.
///
/// The contract:
///
/// - One call is one request to the service: retries, fallbacks and budgets are wrappers around it.
/// - A dropped future stops the call as far as the service allows, and leaves nothing running here.
/// - An answer that the service cut off at its limit is a response with the reason
///   [`MaxTokens`](crate::StopReason::MaxTokens); one that broke off in transport is an error of kind
///   [`Cut`](ErrorKind::Cut). A refusal is a response, too.
/// - `request.max_output_tokens` is passed on, so that a budget that was reserved is kept.
/// - A request for something that the capabilities exclude is an error of kind `Unsupported` or
///   `SchemaRejected`, never silently less.
/// - No key and no header of a request shows in an error or a debug print.
///
/// # Examples
/// ```
/// use zeph_llm::{Capabilities, LlmError, LlmProvider, LlmRequest, LlmResponse, async_trait};
///
/// struct Parrot;
///
/// #[async_trait]
/// impl LlmProvider for Parrot {
///     fn name(&self) -> &str { "parrot" }
///     fn capabilities(&self) -> Capabilities { Capabilities::TEXT }
///     async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
///         let last = request.messages.last().map_or("", |message| message.text());
///         Ok(LlmResponse::text(last))
///     }
/// }
/// ```
#[async_trait]
pub trait LlmProvider: Send + Sync {
    /// What the provider is called in notes and errors: service and model, `ollama::qwen3:8b`.
    fn name(&self) -> &str;

    /// What it can do. The same at every call.
    fn capabilities(&self) -> Capabilities;

    /// The providers that one call of this one may ask, one after the other. Default: none, which says
    /// that one call is one request.
    ///
    /// What a call costs is measured at each of them; see [`around_links`](crate::around_links). Who
    /// makes several requests for one call and does not say so breaks budgets.
    fn links(&self) -> &[Arc<dyn LlmProvider>] {
        &[]
    }

    /// Asks once.
    ///
    /// # Errors
    /// Whatever kept the service from answering.
    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError>;

    /// Asks once, and gives the answer in pieces. By default in one piece, once it is whole.
    ///
    /// The last part of a stream that is whole is [`StreamPart::End`]; a stream that breaks off ends
    /// with an error.
    ///
    /// # Errors
    /// Whatever kept the service from beginning to answer.
    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let response = self.complete(request).await?;
        let mut parts = Vec::new();
        if !response.text.is_empty() {
            parts.push(Ok(StreamPart::Text(response.text.clone())));
        }
        let calls = response.tool_calls.iter().cloned();
        parts.extend(calls.map(|call| Ok(StreamPart::ToolCall(call))));
        parts.push(Ok(StreamPart::End(response)));
        Ok(stream::iter(parts).boxed())
    }
}

/// An answer in pieces.
pub type LlmStream = BoxStream<'static, Result<StreamPart, LlmError>>;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StreamPart {
    /// More text.
    Text(String),
    /// A whole tool call.
    ToolCall(ToolCall),
    /// The answer is whole: all of it again, with what it cost.
    End(LlmResponse),
}

/// Reads a stream to its end.
///
/// # Errors
/// The error that the stream ended with; kind `Cut` if it ended without an end.
pub async fn collect(provider: &str, mut stream: LlmStream) -> Result<LlmResponse, LlmError> {
    while let Some(part) = stream.next().await {
        if let StreamPart::End(response) = part? {
            return Ok(response);
        }
    }
    let message = "the stream ended before the answer did";
    Err(LlmError::new(ErrorKind::Cut, provider, message))
}

#[async_trait]
impl<P: LlmProvider + ?Sized> LlmProvider for Arc<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn links(&self) -> &[Arc<dyn LlmProvider>] {
        (**self).links()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        (**self).complete(request).await
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        (**self).stream(request).await
    }
}
