//! The services under test: our adapter behind our retry layer, in the composition of a user.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::json;
use zeph_llm::{
    AnswerSchema, Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse,
    RetryPolicy, Retrying, StreamPart, ToolSpec, async_trait,
};
use zeph_llm_genai::{GenaiProvider, Timeouts};

/// The most requests that the retry layer makes for one call.
pub(crate) const CALLS: u32 = 4;

/// The longest gap between two parts of a stream.
pub(crate) const IDLE: Duration = Duration::from_secs(2);

/// The service families that users connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    OpenAi,
    Anthropic,
    Ollama,
}

impl Family {
    pub(crate) const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Ollama];

    /// The word before `::` in a model's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
        }
    }

    /// The base address at llmock. llmock does not support Ollama's protocol, so Ollama uses the OpenAI one.
    pub(crate) fn base_at_llmock(self, url: &str) -> String {
        match self {
            Self::OpenAi | Self::Ollama => format!("{url}v1/"),
            Self::Anthropic => format!("{url}anthropic/v1/"),
        }
    }

    pub(crate) fn base_at_aimock(self, url: &str) -> String {
        match self {
            Self::OpenAi | Self::Anthropic | Self::Ollama => format!("{url}v1/"),
        }
    }

    /// The path of requests below aimock's address.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Ollama => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }
}

/// One model of one service.
pub(crate) struct Service {
    pub(crate) provider: Arc<dyn LlmProvider>,
    /// The same model with streamed answers that are collected before they are returned.
    collecting: Arc<dyn LlmProvider>,
}

/// Requests a stream and returns the whole answer, so that the idle time-out detects a dead service early
/// and the retry layer can repeat a cut answer.
struct Collecting(GenaiProvider);

#[async_trait]
impl LlmProvider for Collecting {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        zeph_llm::collect(self.0.name(), self.0.stream(request).await?).await
    }
}

impl Service {
    /// Connects to a model behind a local address.
    pub(crate) fn new(family: Family, base_url: &str, model: &str) -> Result<Self, String> {
        let name = format!("{}::{model}", family.name());
        let timeouts = Timeouts {
            idle: IDLE,
            ..Timeouts::default()
        };
        let adapter = GenaiProvider::builder(name)
            .base_url(base_url)
            .key(SecretString::from("a-key-that-opens-nothing"))
            .timeouts(timeouts)
            .build()
            .map_err(|err| err.to_string())?;
        let policy = RetryPolicy {
            max_calls: CALLS,
            ..RetryPolicy::default()
        };
        Ok(Self {
            collecting: Arc::new(Retrying::new(Collecting(adapter.clone()), policy)),
            provider: Arc::new(Retrying::new(adapter, policy)),
        })
    }

    /// The whole answer.
    pub(crate) async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        self.provider.complete(request).await
    }

    /// The whole answer, collected from a stream.
    pub(crate) async fn collect(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        self.collecting.complete(request).await
    }

    /// The answer as a value of a type, requested with the type's schema.
    pub(crate) async fn typed<T: DeserializeOwned + JsonSchema>(
        &self,
        request: &LlmRequest,
    ) -> Result<T, Box<dyn std::error::Error>> {
        let mut settings = SchemaSettings::draft2020_12().for_deserialize();
        settings.inline_subschemas = true;
        let schema = settings.into_generator().into_root_schema_for::<T>();
        let schema = AnswerSchema::new(&T::schema_name(), schema.to_value())?;
        let support = self.provider.capabilities().schema;
        let asked = schema.ask(request, support, self.provider.name())?;
        let answer = schema.read(&self.provider.complete(&asked).await?)?;
        Ok(serde_json::from_value(answer.value)?)
    }

    /// The answer of a stream, and its text parts.
    pub(crate) async fn stream(
        &self,
        request: &LlmRequest,
    ) -> Result<(LlmResponse, Vec<String>), LlmError> {
        let mut stream = self.provider.stream(request).await?;
        let mut texts = Vec::new();
        while let Some(part) = stream.next().await {
            match part? {
                StreamPart::Text(text) => texts.push(text),
                StreamPart::End(answer) => return Ok((answer, texts)),
                StreamPart::ToolCall(_) => {}
            }
        }
        let cut = "no end in the stream";
        Err(LlmError::new(ErrorKind::Cut, self.provider.name(), cut))
    }
}

/// A short question.
pub(crate) fn question(text: &str) -> LlmRequest {
    LlmRequest::new(text).max_output_tokens(64)
}

/// A tool definition; the tool is never called.
pub(crate) fn weather() -> ToolSpec {
    ToolSpec {
        name: "get_weather".to_owned(),
        description: "The weather in a city".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "city": { "type": "string" } },
            "required": ["city"],
            "additionalProperties": false,
        }),
    }
}
