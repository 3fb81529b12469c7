//! The provider port: answers a request, whole or as a stream.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use crate::{Capabilities, ErrorKind, LlmError, LlmRequest, LlmResponse, ToolCall};

/// Answers requests.
///
/// The contract:
///
/// - One call is one answer of the service: retries and budgets are wrappers around the provider, and one
///   answer is reserved. A request that the service refuses for an optional field may be sent once more
///   without the field, because a refused request costs nothing.
/// - Dropping the future cancels the call as far as the service allows, and nothing of it still runs here.
/// - An answer that the service cut off at its limit is a response with the reason
///   [`MaxTokens`](crate::StopReason::MaxTokens); one that was interrupted in transport is an error of kind
///   [`Cut`](ErrorKind::Cut). A refusal is a response.
/// - `request.max_output_tokens` is sent to the service, because a budget is reserved by it.
/// - A request for something that the capabilities exclude is an error of kind `Unsupported` or
///   `SchemaRejected`; nothing is left out silently.
/// - Errors and debug prints contain no key and no header of a request.
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
    /// The name in notes and errors: service and model, `ollama::qwen3:8b`.
    fn name(&self) -> &str;

    /// The abilities. The value never changes.
    fn capabilities(&self) -> Capabilities;

    /// Whether the same call may be made again after a failure, and may be given up after the usual time. The value
    /// never changes. Default: yes. A program that works on files says no.
    fn is_repeatable(&self) -> bool {
        true
    }

    /// Makes one call.
    ///
    /// # Errors
    /// If the service does not answer; see [`ErrorKind`].
    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError>;

    /// Makes one call and streams the answer. The default streams it in one part when it is complete.
    ///
    /// The last part of a complete stream is [`StreamPart::End`]; an interrupted stream ends with an error.
    ///
    /// # Errors
    /// If the service does not start to answer; see [`ErrorKind`].
    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        Ok(whole_stream(self.complete(request).await?))
    }
}

/// A streamed answer.
pub type LlmStream = BoxStream<'static, Result<StreamPart, LlmError>>;

/// A part of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamPart {
    /// More text.
    Text(String),
    /// A complete tool call.
    ToolCall(ToolCall),
    /// The end: the whole answer, with its usage.
    End(LlmResponse),
}

/// A complete answer as a stream: its text in one part, its tool calls, the end.
#[must_use]
pub fn whole_stream(response: LlmResponse) -> LlmStream {
    let text = Some(response.text.clone()).filter(|text| !text.is_empty());
    let calls = response.tool_calls.clone().into_iter();
    let parts = text.map(StreamPart::Text).into_iter();
    let parts = parts.chain(calls.map(StreamPart::ToolCall));
    let parts: Vec<_> = parts.chain([StreamPart::End(response)]).map(Ok).collect();
    stream::iter(parts).boxed()
}

/// Reads a stream to its end.
///
/// # Errors
/// The error of the stream; kind `Cut` if it has no end part.
pub async fn collect(provider: &str, mut stream: LlmStream) -> Result<LlmResponse, LlmError> {
    while let Some(part) = stream.next().await {
        if let StreamPart::End(response) = part? {
            return Ok(response);
        }
    }
    let message = "the stream ended before the answer was complete";
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

    fn is_repeatable(&self) -> bool {
        (**self).is_repeatable()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        (**self).complete(request).await
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        (**self).stream(request).await
    }
}
