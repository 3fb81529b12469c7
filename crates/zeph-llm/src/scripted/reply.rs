//! Replies of a scripted provider: answer, delay, usage, failure.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    ErrorKind, EstimatingCounter, LlmError, LlmRequest, LlmResponse, LlmStream, StopReason,
    StreamPart, TokenCounter as _, ToolCall, Usage,
};

/// A reply of a scripted provider.
#[derive(Clone)]
pub struct Reply {
    make: Arc<Make>,
    delay: Duration,
    /// Instead of a counted one.
    usage: Option<Usage>,
    breaks: Option<(usize, Break)>,
    /// Before each part of a stream.
    pace: Duration,
}

/// Makes the answer from the provider's name and the request.
type Make = dyn Fn(&str, &LlmRequest) -> Result<LlmResponse, LlmError> + Send + Sync;

#[derive(Clone, Copy)]
enum Break {
    Cut,
    Stall,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}

impl Reply {
    /// A response.
    #[must_use]
    pub fn response(response: LlmResponse) -> Self {
        Self::made(move |_| Ok(response.clone()))
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
        let message = message.into();
        Self::of(move |provider, _| Err(LlmError::new(kind, provider, message.clone())))
    }

    /// An error with its status and wait.
    #[must_use]
    pub fn failure(error: LlmError) -> Self {
        Self::made(move |_| Err(error.clone()))
    }

    /// An answer that a closure makes from the request.
    #[must_use]
    pub fn made(
        make: impl Fn(&LlmRequest) -> Result<LlmResponse, LlmError> + Send + Sync + 'static,
    ) -> Self {
        Self::of(move |_, request| make(request))
    }

    fn of(
        make: impl Fn(&str, &LlmRequest) -> Result<LlmResponse, LlmError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            make: Arc::new(make),
            delay: Duration::ZERO,
            usage: None,
            breaks: None,
            pace: Duration::ZERO,
        }
    }

    /// The same reply after a delay of tokio's time.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same reply, of which each 8 characters take that much of tokio's time. Without streaming the whole
    /// answer takes as long.
    #[must_use]
    pub fn paced(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// The same reply with this usage instead of a counted one, limited to `max_output_tokens`.
    /// `Usage::default()` is a service that reports no usage.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// The same reply, interrupted after that many characters with an error of kind `Cut`.
    #[must_use]
    pub fn cut_after(mut self, chars: usize) -> Self {
        self.breaks = Some((chars, Break::Cut));
        self
    }

    /// The same reply, stalled after that many characters: neither text nor an error follows.
    #[must_use]
    pub fn stalled_after(mut self, chars: usize) -> Self {
        self.breaks = Some((chars, Break::Stall));
        self
    }

    /// The response within the request's limit, with its usage.
    fn answer(
        &self,
        provider: &str,
        request: &LlmRequest,
        counter: &EstimatingCounter,
    ) -> Result<LlmResponse, LlmError> {
        let mut response = (self.make)(provider, request)?;
        let limit = request.max_output_tokens.unwrap_or(u32::MAX);
        if answer_tokens(&response, counter) > limit {
            cut_to(&mut response, limit, counter);
        }
        if let Some(usage) = self.usage {
            response.usage = usage;
        } else if response.usage == Usage::default() {
            response.usage = Usage {
                input_tokens: Some(counter.count_request(request)),
                output_tokens: Some(answer_tokens(&response, counter)),
            };
        }
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
        counter: &EstimatingCounter,
    ) -> Result<LlmResponse, LlmError> {
        sleep(self.delay).await;
        let answer = self.answer(provider, request, counter)?;
        let parts = answer.text.chars().count().div_ceil(PART_CHARS);
        sleep(
            self.pace
                .saturating_mul(u32::try_from(parts).unwrap_or(u32::MAX)),
        )
        .await;
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
        counter: &EstimatingCounter,
    ) -> Result<LlmStream, LlmError> {
        sleep(self.delay).await;
        let answer = self.answer(provider, request, counter)?;
        let kept = self.breaks.map_or(usize::MAX, |(kept, _)| kept);
        let chars: Vec<char> = answer.text.chars().take(kept).collect();
        let mut parts: Vec<Result<StreamPart, LlmError>> = chars
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
        let pace = self.pace;
        let paced = stream::iter(parts).then(move |part| async move {
            if matches!(part, Ok(StreamPart::Text(_))) {
                sleep(pace).await;
            }
            part
        });
        Ok(paced.boxed())
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

/// The tokens of an answer, including its tool calls.
fn answer_tokens(response: &LlmResponse, counter: &EstimatingCounter) -> u32 {
    let calls = response.tool_calls.iter();
    let calls = calls.map(|call| counter.count(&call.arguments.to_string()).saturating_add(1));
    calls.fold(counter.count(&response.text), u32::saturating_add)
}

/// Cuts an answer to a token limit: the longest head of its text within it, without tool calls.
fn cut_to(response: &mut LlmResponse, limit: u32, counter: &EstimatingCounter) {
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
