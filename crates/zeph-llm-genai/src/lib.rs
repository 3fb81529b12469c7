//! Model services as [`LlmProvider`](zeph_llm::LlmProvider)s.
//!
//! [`GenaiProvider`] is an [`LlmProvider`](zeph_llm::LlmProvider) for every service of [`services`]:
//! OpenAI and compatible servers at any address, Anthropic, Gemini, Ollama, and more. An answer is read from
//! the bytes that the service sent, whatever form they have.
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
//! | effort | `reasoning_effort` | `output_config.effort` | `generationConfig.thinkingConfig.thinkingLevel` |
//! | results of tools | messages of the role `tool` | one turn of `tool_result` | one turn of `functionResponse` |
//!
//! A request to Anthropic without a limit gets the one of its capabilities, else 4,096, because that service
//! requires one. System messages inside a conversation move to its front if the service has only one place
//! for them. Arguments of a tool call that are no object are sent back as `{"arguments": …}`, because
//! services accept objects only. Reasoning, signatures and other fields that a service gave beside its tool
//! calls go back to it with their results.
//!
//! An optional field that a service rejects by name with HTTP 400 or 422 (`stream_options`, the name of the
//! token limit, `response_format` without a schema, the system role, `seed`, `temperature`, the effort, `tool_choice`,
//! reasoning, the stream itself) is left out of a second request, and of all later ones to that model. A
//! rejected schema is an error of kind `SchemaRejected`, so that the caller can put it into the prompt.
//!
//! # What is received
//! One call is one answer: nothing else is retried here, and no redirect is followed. A refusal, a blocked
//! prompt and a reached limit are answers with their reason. What came decides how it is read: events, a
//! whole JSON document, or events without their frame. A stream is complete with its last marker (`[DONE]`,
//! `message_stop`) or if it ends after a reason to stop; every other end is an error of kind `Cut`.
//! Reasoning in a field of its own, or in `<think>` tags at the start of the text, is apart from the text.
//! The kind of an error follows from status, code and text together; it has the address, the wait that the
//! service asks for, at most 600 bytes of its text, and never the key.
//!
//! # Security and limits
//! - Nothing is read from the environment, neither keys nor proxies. TLS uses ring and the certificate
//!   authorities of the operating system (on Linux including `SSL_CERT_FILE` and `SSL_CERT_DIR`).
//! - A key is sent over http to this machine only, and through no proxy on another one, unless
//!   [`key_in_clear`](GenaiProviderBuilder::key_in_clear) is set or it is a
//!   [placeholder](is_placeholder_key).
//! - The logs of the HTTP client are dropped: they may contain prompts, answers and keys.
//! - A body is aborted beyond 64 MiB, and an answer beyond 16 MiB of text.

mod answer;
mod builder;
mod client;
mod endpoint;
mod error;
mod error_body;
mod error_context;
mod events;
mod key;
mod lenient;
mod optional;
mod provider;
mod request;
mod retry_after;
mod service;
mod stream;
mod wire;

pub use builder::{GenaiProviderBuilder, Timeouts};
pub use client::http_client;
pub use endpoint::is_local;
pub use error::BuildError;
pub use key::is_placeholder_key;
pub use provider::GenaiProvider;
pub use reqwest::{Client as HttpClient, Url};
pub use service::{Service, services, usual_key_variable};
pub use wire::Wire;
