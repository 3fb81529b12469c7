//! A chain of providers: when one cannot answer, the next is asked.

use std::fmt;
use std::future::Future;
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
    /// At least one, none of them a chain.
    links: Vec<Arc<dyn LlmProvider>>,
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
            links: flat(first),
        }
    }

    /// The chain with one more at its end; the links of another chain come as they are. Its name tells
    /// all: `first > next`.
    #[must_use]
    pub fn then(mut self, next: Arc<dyn LlmProvider>) -> Self {
        self.name = format!("{} > {}", self.name, next.name());
        self.links.extend(flat(next));
        self
    }

    /// Asks link after link, until one answers or fails with what no other does better.
    async fn ask<T, F>(
        &self,
        request: &LlmRequest,
        call: impl Fn(Arc<dyn LlmProvider>, LlmRequest) -> F,
    ) -> Result<T, LlmError>
    where
        F: Future<Output = Result<T, LlmError>>,
    {
        let mut errors = Vec::new();
        let mut request = request.clone();
        for link in &self.links {
            match call(Arc::clone(link), request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let is_final = !moves_on(error.kind());
                    errors.push(error);
                    if is_final {
                        break;
                    }
                }
            }
            request.model = None;
        }
        Err(self.all_failed(errors))
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
        let links = self.links.iter().map(LlmProvider::capabilities);
        links.reduce(both).unwrap_or(Capabilities::TEXT)
    }

    fn links(&self) -> &[Arc<dyn LlmProvider>] {
        &self.links
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let call = |link: Arc<dyn LlmProvider>, request| async move {
            let mut response = link.complete(&request).await?;
            if response.provider.is_empty() {
                link.name().clone_into(&mut response.provider);
            }
            Ok(response)
        };
        self.ask(request, call).await
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let call = |link: Arc<dyn LlmProvider>, request| async move {
            let stream = link.stream(&request).await?;
            Ok(signed(stream, link.name().to_owned()))
        };
        self.ask(request, call).await
    }
}

/// The same provider with something around each request that one call of it may make: around each link
/// of a chain, and around the provider itself if it has no links.
///
/// So each link is metered and repeated by itself, and the chain comes outside of that.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use zeph_llm::{FallbackChain, LlmProvider as _, RetryPolicy, Retrying, ScriptedProvider, around_links};
///
/// let link = |name: &str| Arc::new(ScriptedProvider::new(name));
/// let chain = Arc::new(FallbackChain::new(link("cloud")).then(link("local")));
/// let repeated = around_links(chain, |link| Arc::new(Retrying::new(link, RetryPolicy::default())));
/// assert_eq!((repeated.name(), repeated.links().len()), ("cloud > local", 2));
/// ```
#[must_use]
pub fn around_links(
    provider: Arc<dyn LlmProvider>,
    mut around: impl FnMut(Arc<dyn LlmProvider>) -> Arc<dyn LlmProvider>,
) -> Arc<dyn LlmProvider> {
    if provider.links().is_empty() {
        return around(provider);
    }
    let links = provider.links().iter().cloned().map(around).collect();
    Arc::new(FallbackChain {
        name: provider.name().to_owned(),
        links,
    })
}

/// The links of a chain; else the provider alone.
fn flat(provider: Arc<dyn LlmProvider>) -> Vec<Arc<dyn LlmProvider>> {
    match provider.links() {
        [] => vec![provider],
        links => links.to_vec(),
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
