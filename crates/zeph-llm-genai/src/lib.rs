//! Model services as [`LlmProvider`](zeph_llm::LlmProvider)s, through the genai crate.
//!
//! [`GenaiProvider`] is an [`LlmProvider`](zeph_llm::LlmProvider) for every service of [`services`]:
//! OpenAI and compatible servers at any address, Anthropic, Gemini, Ollama, and more. A request is sent
//! unchanged or is an error before the call; an answer is read from the bytes that the service sent.
//!
//! # Examples
//! Any server that is compatible with OpenAI, such as llama.cpp, vLLM or LM Studio:
//! ```no_run
//! use zeph_llm::{LlmProvider, LlmRequest};
//! use zeph_llm_genai::GenaiProvider;
//!
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! let model = GenaiProvider::builder("openai::smollm2").base_url("http://127.0.0.1:8080/v1/").build()?;
//! let answer = model.complete(&LlmRequest::new("Name a colour.").max_output_tokens(20)).await?;
//! assert!(!answer.text.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! Anthropic; the program supplies the key:
//! ```no_run
//! use secrecy::SecretString;
//! use zeph_llm::{LlmProvider, LlmRequest};
//! use zeph_llm_genai::{GenaiProvider, usual_key_variable};
//!
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! let name = "anthropic::claude-sonnet-4-5";
//! let variable = usual_key_variable(name).ok_or("no key is usual")?;
//! let key = SecretString::from(std::env::var(variable)?);
//! let model = GenaiProvider::builder(name).key(key).build()?;
//! let answer = model.complete(&LlmRequest::new("Name a colour.").max_output_tokens(20)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is sent
//! | | OpenAI and compatible, Ollama | Anthropic | Gemini |
//! |---|---|---|---|
//! | path | `chat/completions` | `messages` | `models/MODEL:generateContent` |
//! | key | `authorization: Bearer` | `x-api-key` | `x-goog-api-key` |
//! | system | a message | `system` | `systemInstruction` |
//! | schema | `response_format`, with `strict` where it is supported | `output_config.format` | `generationConfig.responseJsonSchema` |
//! | JSON | `response_format` | error | `generationConfig.responseMimeType` |
//! | limit | `max_tokens`; `max_completion_tokens` to OpenAI itself | `max_tokens` | `generationConfig.maxOutputTokens` |
//! | seed | `seed`; `random_seed` to Mistral | error | `generationConfig.seed` |
//! | temperature | `temperature` | `temperature` | `generationConfig.temperature` |
//! | results of tools | messages of the role `tool` | one turn of `tool_result` | one turn of `functionResponse` |
//!
//! A request to Anthropic without a limit gets the largest that genai knows for the model, because that
//! service requires one. System messages inside a conversation move to its front if the service has only
//! one place for them. Arguments of a tool call that are no object are sent back as `{"arguments": …}`,
//! because services accept objects only.
//!
//! # What is received
//! One call is one request: nothing is retried here, and no redirect is followed. A refusal, a blocked
//! prompt and a reached limit are answers with their reason. A stream that ends without the end of its
//! protocol (`[DONE]`, `message_stop`, a `finishReason`) is an error of kind `Cut`. The kind of an error
//! follows from status, code and text together; it has the wait that the service asks for, at most 600
//! bytes of its text, and never the key.
//!
//! # Security and limits
//! - Nothing is read from the environment, neither keys nor proxies. TLS uses ring and the certificate
//!   authorities of the operating system (on Linux including `SSL_CERT_FILE` and `SSL_CERT_DIR`).
//! - A key is sent over http to this machine only, and through no proxy on another one, unless
//!   [`key_in_clear`](GenaiProviderBuilder::key_in_clear) is set.
//! - The logs of genai and its HTTP client are dropped: they may contain prompts, answers and keys.
//! - An answer is read into memory, bounded by the time limit only; a stream is aborted beyond 64 MiB of
//!   events or 16 MiB of text.
//! - The port does not carry Gemini's thought signatures. Gemini 3 requires them with tool calls, and gets
//!   the placeholder that its documentation names for that case.

mod answer;
mod builder;
mod client;
mod endpoint;
mod error;
mod error_body;
mod error_context;
mod provider;
mod request;
mod retry_after;
mod service;
mod stream;
mod wire;

pub use builder::{GenaiProviderBuilder, Timeouts};
pub use error::BuildError;
pub use provider::GenaiProvider;
pub use service::{Service, services, usual_key_variable};
pub use wire::Wire;
