//! Any async closure as a provider.

use std::fmt;
use std::future::Future;

use async_trait::async_trait;

use crate::{Capabilities, LlmError, LlmProvider, LlmRequest, LlmResponse};

/// The provider of [`provider_fn`].
#[derive(Clone)]
pub struct ProviderFn<F> {
    name: String,
    capabilities: Capabilities,
    answer: F,
}

/// Makes a provider from an async closure that returns an answer or a text.
///
/// Its capabilities are [`Capabilities::TEXT`] unless they are [set](ProviderFn::with_capabilities); a request
/// that they exclude is an error before the call. The closure is responsible for the rest of the contract of
/// [`LlmProvider`].
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_llm::LlmError> {
/// use zeph_llm::{LlmError, LlmProvider as _, LlmRequest, provider_fn};
///
/// let shout = provider_fn("shout", |request: LlmRequest| async move {
///     let last = request.messages.last().map_or("", |message| message.text());
///     Ok::<_, LlmError>(last.to_uppercase())
/// });
/// assert_eq!(shout.complete(&LlmRequest::new("hello")).await?.text, "HELLO");
/// # Ok(())
/// # }
/// ```
pub fn provider_fn<F, A, R>(name: impl Into<String>, answer: F) -> ProviderFn<F>
where
    F: Fn(LlmRequest) -> A + Send + Sync,
    A: Future<Output = Result<R, LlmError>> + Send,
    R: Into<LlmResponse>,
{
    ProviderFn {
        name: name.into(),
        capabilities: Capabilities::TEXT,
        answer,
    }
}

impl<F> ProviderFn<F> {
    /// The same provider with other capabilities.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }
}

impl<F> fmt::Debug for ProviderFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ProviderFn");
        debug.field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, A, R> LlmProvider for ProviderFn<F>
where
    F: Fn(LlmRequest) -> A + Send + Sync,
    A: Future<Output = Result<R, LlmError>> + Send,
    R: Into<LlmResponse>,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        self.capabilities.check(request, &self.name)?;
        (self.answer)(request.clone()).await.map(Into::into)
    }
}
