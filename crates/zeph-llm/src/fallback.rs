//! A chain of providers: when one cannot answer, the next is asked.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream, Prices,
    SchemaSupport,
};

/// Asks one provider after the other until one answers.
///
/// - What may differ at the next one is a reason to ask it: every retryable error (the links do their own
///   retries), `Unauthorized`, `UnknownModel`, `ContextTooLong`, `SchemaRejected`, `NoCredit`, `Unsupported`.
/// - `BadRequest` is not, for the mistake is ours; nor `NotRecorded`, `OverBudget` and `Stopped`. A refusal
///   is an answer.
/// - The answer's [`provider`](LlmResponse::provider) says who gave it.
/// - A model that the request names is asked of the first link only; the others use their own.
/// - A stream moves on only while it has not begun.
/// - The chain can do what all links can do, at the highest price. Links that take schemas in different
///   dialects together promise JSON only.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_llm::LlmError> {
/// use std::sync::Arc;
/// use zeph_llm::{ErrorKind, FallbackChain, LlmProvider as _, LlmRequest, Reply, ScriptedProvider};
///
/// let broke = ScriptedProvider::new("cloud").then(Reply::error(ErrorKind::NoCredit, "pay first"));
/// let local = ScriptedProvider::new("local").then(Reply::text("here"));
/// let chain = FallbackChain::new(Arc::new(broke)).then(Arc::new(local));
/// let answer = chain.complete(&LlmRequest::new("Where?")).await?;
/// assert_eq!((answer.text.as_str(), answer.provider.as_str()), ("here", "local"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FallbackChain {
    name: String,
    first: Arc<dyn LlmProvider>,
    others: Vec<Arc<dyn LlmProvider>>,
}

impl fmt::Debug for FallbackChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FallbackChain");
        debug.field("name", &self.name).finish_non_exhaustive()
    }
}

impl FallbackChain {
    /// A chain of one.
    #[must_use]
    pub fn new(first: Arc<dyn LlmProvider>) -> Self {
        Self {
            name: first.name().to_owned(),
            first,
            others: Vec::new(),
        }
    }

    /// The chain with one more at its end. Its name tells all: `first > next`.
    #[must_use]
    pub fn then(mut self, next: Arc<dyn LlmProvider>) -> Self {
        self.name = format!("{} > {}", self.name, next.name());
        self.others.push(next);
        self
    }

    fn links(&self) -> impl Iterator<Item = &Arc<dyn LlmProvider>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn request_for(&self, index: usize, request: &LlmRequest) -> LlmRequest {
        let mut request = request.clone();
        if index > 0 {
            request.model = None;
        }
        request
    }

    /// What all links failed with, as one error: the kind and the wait of the last.
    fn all_failed(&self, mut errors: Vec<LlmError>) -> LlmError {
        let calls = errors
            .iter()
            .map(LlmError::attempts)
            .fold(0, u32::saturating_add);
        let last = errors.pop();
        let Some(last) = last else {
            return LlmError::new(ErrorKind::Unavailable, &self.name, "there are no providers");
        };
        if errors.is_empty() {
            return last;
        }
        let message = errors.iter().chain([&last]).map(ToString::to_string);
        let message = message.collect::<Vec<_>>().join("; then ");
        let mut error = LlmError::new(last.kind(), &self.name, message).with_attempts(calls);
        if let Some(status) = last.status() {
            error = error.with_status(status);
        }
        if let Some(wait) = last.retry_after() {
            error = error.with_retry_after(wait);
        }
        error.with_source(last)
    }
}

/// Whether another provider may do better.
const fn moves_on(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::RateLimited
        | ErrorKind::Unavailable
        | ErrorKind::Network
        | ErrorKind::Timeout
        | ErrorKind::Cut
        | ErrorKind::Garbled
        | ErrorKind::Unauthorized
        | ErrorKind::UnknownModel
        | ErrorKind::ContextTooLong
        | ErrorKind::SchemaRejected
        | ErrorKind::NoCredit
        | ErrorKind::Unsupported => true,
        ErrorKind::BadRequest
        | ErrorKind::NotRecorded
        | ErrorKind::OverBudget
        | ErrorKind::Stopped => false,
    }
}

/// What two providers can both do.
fn both(one: Capabilities, two: Capabilities) -> Capabilities {
    let least = |one: Option<u32>, two: Option<u32>| Some(one?.min(two?));
    let schema = match (one.schema, two.schema) {
        (one, two) if one == two => one,
        (SchemaSupport::Never, _) | (_, SchemaSupport::Never) => SchemaSupport::Never,
        (SchemaSupport::Prompt, _) | (_, SchemaSupport::Prompt) => SchemaSupport::Prompt,
        (
            SchemaSupport::Schema(_) | SchemaSupport::Json,
            SchemaSupport::Schema(_) | SchemaSupport::Json,
        ) => SchemaSupport::Json,
    };
    let dearest = |one: Prices, two: Prices| Prices {
        input: one.input.max(two.input),
        output: one.output.max(two.output),
    };
    Capabilities {
        schema,
        tools: one.tools && two.tools,
        streaming: one.streaming && two.streaming,
        context_tokens: least(one.context_tokens, two.context_tokens),
        max_output_tokens: least(one.max_output_tokens, two.max_output_tokens),
        prices: one
            .prices
            .zip(two.prices)
            .map(|(one, two)| dearest(one, two)),
    }
}

#[async_trait]
impl LlmProvider for FallbackChain {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        let first = self.first.capabilities();
        let others = self.others.iter();
        others.fold(first, |all, link| both(all, link.capabilities()))
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let mut errors = Vec::new();
        for (index, link) in self.links().enumerate() {
            match link.complete(&self.request_for(index, request)).await {
                Ok(mut response) => {
                    if response.provider.is_empty() {
                        link.name().clone_into(&mut response.provider);
                    }
                    return Ok(response);
                }
                Err(error) => {
                    let is_final = !moves_on(error.kind());
                    errors.push(error);
                    if is_final {
                        break;
                    }
                }
            }
        }
        Err(self.all_failed(errors))
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let mut errors = Vec::new();
        for (index, link) in self.links().enumerate() {
            match link.stream(&self.request_for(index, request)).await {
                Ok(stream) => return Ok(signed(stream, link.name().to_owned())),
                Err(error) => {
                    let is_final = !moves_on(error.kind());
                    errors.push(error);
                    if is_final {
                        break;
                    }
                }
            }
        }
        Err(self.all_failed(errors))
    }
}

/// A stream whose end says who gave it.
fn signed(stream: LlmStream, name: String) -> LlmStream {
    use crate::StreamPart;
    use futures::StreamExt as _;
    let sign = move |part| match part {
        Ok(StreamPart::End(mut response)) => {
            if response.provider.is_empty() {
                name.clone_into(&mut response.provider);
            }
            Ok(StreamPart::End(response))
        }
        Ok(part @ (StreamPart::Text(_) | StreamPart::ToolCall(_))) => Ok(part),
        Err(error) => Err(error),
    };
    stream.map(sign).boxed()
}

#[cfg(test)]
mod tests;
