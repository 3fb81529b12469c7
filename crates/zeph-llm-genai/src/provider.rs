//! The provider: makes one call of the service per request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use genai::adapter::AdapterKind;
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ServiceTarget};
use secrecy::SecretString;
use serde_json::Value;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream,
    async_trait, whole_stream,
};

use crate::builder::{GenaiProviderBuilder, Timeouts};
use crate::endpoint::BaseUrl;
use crate::error_context::ErrorContext;
use crate::request::{self, Prepared, Target};
use crate::service::Service;
use crate::wire::Wire;
use crate::{answer, stream};

/// A model of a service. The [crate](crate) describes requests and answers.
///
/// Cheap to clone: all clones share their connections. One call is one request; nothing is retried.
#[derive(Clone, Debug)]
pub struct GenaiProvider {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) errors: Arc<ErrorContext>,
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) service: &'static Service,
    pub(crate) base: BaseUrl,
    pub(crate) own_address: bool,
    pub(crate) key: Option<SecretString>,
    pub(crate) timeouts: Timeouts,
    pub(crate) capabilities: Capabilities,
    pub(crate) genai: genai::Client,
}

impl GenaiProvider {
    /// Returns a builder for `service::model`, such as `openai::gpt-4o-mini` or
    /// `ollama::qwen3:8b`. The services are those of [`services`](crate::services).
    ///
    /// # Examples
    /// ```
    /// use zeph_llm_genai::GenaiProvider;
    /// let model = GenaiProvider::builder("ollama::qwen3:8b").build()?;
    /// assert_eq!(model.base_url(), "http://localhost:11434/v1/");
    ///
    /// let error = GenaiProvider::builder("olama::qwen3:8b").build().unwrap_err();
    /// assert!(error.to_string().contains("did you mean `ollama`?"));
    /// # Ok::<(), zeph_llm_genai::BuildError>(())
    /// ```
    pub fn builder(name: impl Into<String>) -> GenaiProviderBuilder {
        GenaiProviderBuilder::new(name.into())
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The base address, with a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.inner.base.as_str()
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &'static Service {
        self.inner.service
    }
}

impl Inner {
    /// The model of a request: its own, of the same service, or that of the provider.
    fn model<'a>(&'a self, request: &'a LlmRequest) -> Result<&'a str, LlmError> {
        let Some(asked) = request.model.as_deref() else {
            return Ok(&self.model);
        };
        let own = asked
            .split_once("::")
            .filter(|(service, _)| *service == self.service.name);
        let model = own.map_or(asked, |(_, model)| model);
        crate::service::check_model(model).map_err(|error| {
            self.errors
                .error(ErrorKind::UnknownModel, &error.to_string())
        })?;
        Ok(model)
    }

    fn prepare(&self, request: &LlmRequest, stream: bool) -> Result<Prepared, LlmError> {
        self.capabilities.check(request, &self.name)?;
        let model = self.model(request)?;
        let target = Target {
            wire: self.service.wire,
            model,
            // At another address `openai` is a compatible server.
            strict: self.service.strict && !(self.service.name == "openai" && self.own_address),
            limit: self.limit(model),
            seed: if self.service.name == "mistral" {
                "random_seed"
            } else {
                "seed"
            },
        };
        let options = request::options(target, request, stream)
            .map_err(|(kind, why)| self.errors.error(kind, why))?;
        let adapter = match self.service.wire {
            Wire::OpenAi => AdapterKind::OpenAI,
            Wire::Anthropic => AdapterKind::Anthropic,
            Wire::Gemini => AdapterKind::Gemini,
        };
        Ok(Prepared {
            target: ServiceTarget {
                endpoint: Endpoint::from_owned(self.base.as_str()),
                // The whole address and all headers: genai adds no others and reads no environment variable.
                auth: AuthData::RequestOverride {
                    url: self.base.endpoint(model, stream),
                    headers: self.base.headers(self.key.as_ref()),
                },
                model: ModelIden::new(adapter, request::disguised(model)),
            },
            request: request::messages(request),
            options,
        })
    }

    /// The name of the token limit. OpenAI has renamed it, and its newer models accept the new name only;
    /// other servers accept the old one, unless they are gateways to such a model.
    fn limit(&self, model: &str) -> &'static str {
        const NEWER: [&str; 5] = ["gpt-5", "gpt-6", "o1", "o3", "o4"];
        let own = self.service.name == "openai" && !self.own_address;
        let newer =
            self.service.name == "openai" && NEWER.iter().any(|name| model.starts_with(name));
        match self.service.wire {
            Wire::OpenAi if own || newer => "max_completion_tokens",
            Wire::OpenAi | Wire::Anthropic => "max_tokens",
            Wire::Gemini => "maxOutputTokens",
        }
    }

    fn time_limit(&self, request: &LlmRequest) -> Duration {
        request.timeout.unwrap_or(self.timeouts.call)
    }

    async fn ask(&self, prepared: Prepared) -> Result<LlmResponse, LlmError> {
        let options = Some(&prepared.options);
        let call = self
            .genai
            .exec_chat(prepared.target, prepared.request, options);
        // genai may overflow when it adds token counts, and logs what services send, including keys.
        let call = AssertUnwindSafe(call)
            .catch_unwind()
            .with_subscriber(NoSubscriber::new());
        let body = match call.await {
            Ok(Ok(answer)) => answer.captured_raw_body.unwrap_or(Value::Null),
            Ok(Err(genai::Error::ChatResponseGeneration { response_body, .. })) => *response_body,
            Ok(Err(error)) => return Err(self.errors.call(&error)),
            Err(_) => {
                let why = "the token counts of the answer are too large";
                return Err(self.errors.error(ErrorKind::Garbled, why));
            }
        };
        answer::whole(self.service.wire, &body).map_err(|fault| self.errors.fault(fault))
    }
}

#[async_trait]
impl LlmProvider for GenaiProvider {
    fn name(&self) -> &str {
        &self.inner.name
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let inner = &self.inner;
        let prepared = inner.prepare(request, false)?;
        let limit = inner.time_limit(request);
        tokio::time::timeout(limit, Box::pin(inner.ask(prepared)))
            .await
            .unwrap_or_else(|_| Err(stream::too_late(&inner.errors, limit)))
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let inner = &self.inner;
        if !inner.capabilities.streaming {
            return Ok(whole_stream(self.complete(request).await?));
        }
        let prepared = inner.prepare(request, true)?;
        let limit = inner.time_limit(request);
        let call = stream::Call {
            wire: inner.service.wire,
            errors: Arc::clone(&inner.errors),
            limit,
            idle: inner.timeouts.idle,
        };
        call.begin(&inner.genai, prepared).await
    }
}
