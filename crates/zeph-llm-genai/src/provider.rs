//! The provider: one answer of the service per call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{ACCEPT, HeaderValue};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream,
    async_trait, whole_stream,
};

use crate::builder::{GenaiProviderBuilder, Timeouts};
use crate::endpoint::BaseUrl;
use crate::error_context::ErrorContext;
use crate::optional::{self, MAX_REPEATS, Omitted, Optional};
use crate::request::{self, Target};
use crate::service::Service;
use crate::stream::{Answering, Limits};
use crate::wire::Wire;

/// The most bytes that are read of the body of an error.
const ERROR_BYTES: usize = 1 << 20;

/// A model of a service. The [crate](crate) describes requests and answers.
///
/// Cheap to clone: all clones share their connections, and what the service has rejected. One call is one
/// answer; only a request that the service refuses for an optional field is sent again, without the field.
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
    pub(crate) http: reqwest::Client,
    /// The name of the token limit, if it is set.
    pub(crate) limit: Option<String>,
    /// What is left out from the start.
    pub(crate) omitted: Omitted,
    /// What the service has rejected, by model.
    pub(crate) learned: Mutex<BTreeMap<String, Omitted>>,
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

    /// The base address, with a slash at the end and without its query.
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

    fn target<'a>(&'a self, model: &'a str, omitted: &'a Omitted) -> Target<'a> {
        Target {
            wire: self.service.wire,
            model,
            max_output_tokens: self.capabilities.max_output_tokens,
            // At another address `openai` is a compatible server.
            strict: self.service.strict && !(self.service.name == "openai" && self.own_address),
            limit: self.limit(model, omitted),
            seed: if self.service.name == "mistral" {
                "random_seed"
            } else {
                "seed"
            },
            omitted,
        }
    }

    /// The name of the token limit. OpenAI has renamed it, and its newer models accept the new name only;
    /// other servers accept the old one, unless they are gateways to such a model.
    fn limit(&self, model: &str, omitted: &Omitted) -> &str {
        const NEWER: [&str; 5] = ["gpt-5", "gpt-6", "o1", "o3", "o4"];
        const NAMES: [&str; 2] = ["max_tokens", "max_completion_tokens"];
        let own = self.service.name == "openai" && !self.own_address;
        let newer =
            self.service.name == "openai" && NEWER.iter().any(|name| model.starts_with(name));
        let usual = match self.service.wire {
            Wire::OpenAi if own || newer => NAMES[1],
            Wire::OpenAi | Wire::Anthropic => NAMES[0],
            Wire::Gemini => "maxOutputTokens",
        };
        let name = self.limit.as_deref().unwrap_or(usual);
        if omitted.contains(&Optional::LimitName) {
            return NAMES[usize::from(name == NAMES[0])];
        }
        name
    }

    /// The answer to a request, after its first part came.
    async fn ask(&self, request: &LlmRequest, stream: bool) -> Result<Answering, LlmError> {
        self.capabilities.check(request, &self.name)?;
        let model = self.model(request)?;
        let call = request.timeout.unwrap_or(self.timeouts.call);
        let end = Instant::now().checked_add(call);
        let mut omitted = self.omitted.clone();
        omitted.extend(self.learned(model, None));
        for repeat in 0.. {
            let stream = stream && !omitted.contains(&Optional::Stream);
            let body = request::body(self.target(model, &omitted), request, stream);
            let body = body.map_err(|(kind, why)| self.errors.error(kind, why))?;
            let limits = Limits {
                call,
                end,
                idle: stream.then_some(self.timeouts.idle),
            };
            let url = self.base.endpoint(model, stream);
            let error = match self.attempt(url, &body.json, stream, limits).await {
                Ok(answering) => {
                    self.learned(model, Some(omitted));
                    return Ok(answering);
                }
                Err(error) => error,
            };
            let rejected = optional::rejected(&error, &body.parts);
            let is_over = rejected.is_empty() || repeat >= MAX_REPEATS;
            let needs_caller = rejected.contains(&Optional::Schema);
            omitted.extend(rejected);
            if needs_caller {
                self.learned(model, Some(omitted));
                return Err(error);
            }
            if is_over {
                return Err(error);
            }
        }
        Err(self
            .errors
            .error(ErrorKind::BadRequest, "the service rejects the request"))
    }

    async fn attempt(
        &self,
        url: String,
        body: &Map<String, Value>,
        stream: bool,
        limits: Limits,
    ) -> Result<Answering, LlmError> {
        let response = limits
            .within(&self.errors, self.send(url, body, stream))
            .await??;
        let answering = Answering::new(self.service.wire, &self.errors, limits, response);
        answering.begin().await
    }

    /// Sends a request; a response with an error status is an error.
    async fn send(
        &self,
        url: String,
        body: &Map<String, Value>,
        stream: bool,
    ) -> Result<reqwest::Response, LlmError> {
        let accepted = if stream {
            "text/event-stream, application/json"
        } else {
            "application/json"
        };
        let request = self
            .http
            .post(url)
            .headers(self.base.headers(self.key.as_ref()));
        let request = request.header(ACCEPT, HeaderValue::from_static(accepted));
        // The logs of the HTTP client may contain prompts.
        let sent = request
            .json(body)
            .send()
            .with_subscriber(NoSubscriber::new());
        let mut response = sent.await.map_err(|error| self.errors.transport(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let mut body = Vec::new();
        // A body that breaks off is reported as far as it came.
        while let Ok(Some(bytes)) = response.chunk().await {
            body.extend_from_slice(&bytes);
            if body.len() > ERROR_BYTES {
                break;
            }
        }
        let body = String::from_utf8_lossy(&body);
        Err(self.errors.refused(status, response.headers(), &body))
    }

    /// What the service has rejected for a model; `new` replaces it.
    fn learned(&self, model: &str, new: Option<Omitted>) -> Omitted {
        /// The most models that are remembered.
        const MODELS: usize = 256;
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        match new {
            Some(new) if learned.len() < MODELS || learned.contains_key(model) => {
                let known = learned.entry(model.to_owned()).or_default();
                known.extend(new);
                known.clone()
            }
            Some(_) | None => learned.get(model).cloned().unwrap_or_default(),
        }
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
        let answering = Box::pin(self.inner.ask(request, false)).await?;
        answering.collect().await
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        if !self.inner.capabilities.streaming {
            return Ok(whole_stream(self.complete(request).await?));
        }
        let answering = Box::pin(self.inner.ask(request, true)).await?;
        Ok(answering.stream())
    }
}
