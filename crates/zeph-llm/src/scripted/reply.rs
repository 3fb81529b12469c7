//! Replies of a scripted provider: answer, delay, usage, failure.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    ErrorKind, LlmError, LlmRequest, LlmResponse, LlmStream, StopReason, StreamPart, TokenCounter,
    ToolCall, Usage,
};

/// A reply of a scripted provider.
#[derive(Clone)]
pub struct Reply {
    answer: Answer,
    delay: Duration,
    usage: Counted,
    breaks: Option<(usize, Break)>,
}

type Make = dyn Fn(&LlmRequest) -> Result<LlmResponse, LlmError> + Send + Sync;

#[derive(Clone)]
enum Answer {
    Fixed(Result<LlmResponse, LlmError>),
    Made(Arc<Make>),
}

#[derive(Clone, Copy)]
enum Counted {
    ByCounter,
    As(Usage),
}

#[derive(Clone, Copy)]
enum Break {
    Cut,
    Stall,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Reply");
        match &self.answer {
            Answer::Fixed(answer) => debug.field("answer", answer),
            Answer::Made(_) => debug.field("answer", &"a closure"),
        };
        debug.finish_non_exhaustive()
    }
}

impl Reply {
    /// A response.
    #[must_use]
    pub fn response(response: LlmResponse) -> Self {
        Self::of(Answer::Fixed(Ok(response)))
    }

    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::response(LlmResponse::text(text))
    }

    /// The JSON of a value; an error of kind `Garbled` if it cannot be serialised.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self::text(text),
            Err(error) => Self::error(ErrorKind::Garbled, error.to_string()),
        }
    }

    /// Tool calls.
    #[must_use]
    pub fn calls(calls: Vec<ToolCall>) -> Self {
        Self::response(LlmResponse::calls(calls))
    }

    /// A refusal.
    #[must_use]
    pub fn refusal(text: impl Into<String>) -> Self {
        Self::response(LlmResponse::text(text).stopped(StopReason::Refusal))
    }

    /// An error of that kind, with the provider's name.
    #[must_use]
    pub fn error(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::failure(LlmError::new(kind, "", message))
    }

    /// An error with its status and wait; an empty provider name becomes that of the script.
    #[must_use]
    pub fn failure(error: LlmError) -> Self {
        Self::of(Answer::Fixed(Err(error)))
    }

    /// An answer that a closure makes from the request.
    #[must_use]
    pub fn made(
        make: impl Fn(&LlmRequest) -> Result<LlmResponse, LlmError> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Answer::Made(Arc::new(make)))
    }

    const fn of(answer: Answer) -> Self {
        Self {
            answer,
            delay: Duration::ZERO,
            usage: Counted::ByCounter,
            breaks: None,
        }
    }

    /// The same reply after a delay of tokio's time.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same reply with this usage instead of a counted one, limited to `max_output_tokens`.
    /// `Usage::default()` is a service that reports no usage.
    #[must_use]
    pub const fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = Counted::As(usage);
        self
    }

    /// The same reply, interrupted after that many characters with an error of kind `Cut`.
    #[must_use]
    pub const fn cut_after(mut self, chars: usize) -> Self {
        self.breaks = Some((chars, Break::Cut));
        self
    }

    /// The same reply, stalled after that many characters: neither text nor an error follows.
    #[must_use]
    pub const fn stalled_after(mut self, chars: usize) -> Self {
        self.breaks = Some((chars, Break::Stall));
        self
    }

    /// The response within the request's limit, with its usage.
    fn answer(
        &self,
        provider: &str,
        request: &LlmRequest,
        counter: &dyn TokenCounter,
    ) -> Result<LlmResponse, LlmError> {
        let answer = match &self.answer {
            Answer::Fixed(answer) => answer.clone(),
            Answer::Made(make) => make(request),
        };
        let mut response = answer.map_err(|error| named(error, provider))?;
        let limit = request.max_output_tokens.unwrap_or(u32::MAX);
        let said = answer_tokens(&response, counter);
        if said > limit {
            cut_to(&mut response, limit, counter);
        }
        response.usage = match self.usage {
            Counted::ByCounter if response.usage == Usage::default() => Usage {
                input_tokens: Some(counter.count_request(request)),
                output_tokens: Some(answer_tokens(&response, counter)),
            },
            Counted::ByCounter => response.usage,
            Counted::As(usage) => usage,
        };
        response.usage.output_tokens = response.usage.output_tokens.map(|used| used.min(limit));
        if response.model.is_empty() {
            provider.clone_into(&mut response.model);
        }
        Ok(response)
    }

    pub(super) async fn whole(
        self,
        provider: &str,
        request: &LlmRequest,
        counter: &dyn TokenCounter,
    ) -> Result<LlmResponse, LlmError> {
        sleep(self.delay).await;
        let answer = self.answer(provider, request, counter)?;
        match self.breaks {
            None => Ok(answer),
            Some((_, Break::Cut)) => Err(cut(provider)),
            Some((_, Break::Stall)) => std::future::pending().await,
        }
    }

    pub(super) async fn pieces(
        self,
        provider: &str,
        request: &LlmRequest,
        counter: &dyn TokenCounter,
    ) -> Result<LlmStream, LlmError> {
        sleep(self.delay).await;
        let answer = self.answer(provider, request, counter)?;
        let chars: Vec<char> = answer.text.chars().collect();
        let kept = self
            .breaks
            .map_or(chars.len(), |(kept, _)| kept.min(chars.len()));
        let mut parts: Vec<Result<StreamPart, LlmError>> = chars[..kept]
            .chunks(PART_CHARS)
            .map(|piece| Ok(StreamPart::Text(piece.iter().collect())))
            .collect();
        match self.breaks {
            Some((_, Break::Cut)) => parts.push(Err(cut(provider))),
            Some((_, Break::Stall)) => {
                return Ok(stream::iter(parts).chain(stream::pending()).boxed());
            }
            None => {
                let calls = answer.tool_calls.iter().cloned();
                parts.extend(calls.map(|call| Ok(StreamPart::ToolCall(call))));
                parts.push(Ok(StreamPart::End(answer)));
            }
        }
        Ok(stream::iter(parts).boxed())
    }
}

/// Characters of one part of a stream.
const PART_CHARS: usize = 8;

fn cut(provider: &str) -> LlmError {
    LlmError::new(
        ErrorKind::Cut,
        provider,
        "the script interrupted the answer",
    )
}

fn named(error: LlmError, provider: &str) -> LlmError {
    if !error.provider().is_empty() {
        return error;
    }
    let mut named = LlmError::new(error.kind(), provider, error.message());
    if let Some(status) = error.status() {
        named = named.with_status(status);
    }
    if let Some(wait) = error.retry_after() {
        named = named.with_retry_after(wait);
    }
    named.with_attempts(error.attempts())
}

/// The tokens of an answer, including its tool calls.
fn answer_tokens(response: &LlmResponse, counter: &dyn TokenCounter) -> u32 {
    let calls = response.tool_calls.iter();
    let calls = calls.map(|call| counter.count(&call.arguments.to_string()).saturating_add(1));
    calls.fold(counter.count(&response.text), u32::saturating_add)
}

/// Cuts an answer to a token limit: the longest head of its text within it, without tool calls.
fn cut_to(response: &mut LlmResponse, limit: u32, counter: &dyn TokenCounter) {
    let mut fits = 0;
    let mut exceeds = response.text.len() + 1;
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        let end = response.text.floor_char_boundary(middle);
        if counter.count(&response.text[..end]) <= limit {
            fits = middle;
        } else {
            exceeds = middle;
        }
    }
    let end = response.text.floor_char_boundary(fits);
    response.text.truncate(end);
    response.tool_calls.clear();
    response.stop = StopReason::MaxTokens;
}
