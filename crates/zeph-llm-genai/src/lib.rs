//! Model services behind the port, through the genai crate.
//!
//! [`GenaiProvider`] is an [`LlmProvider`](zeph_llm::LlmProvider) for every service of [`services`]:
//! OpenAI and whatever speaks like it at any address, Anthropic, Gemini, Ollama, and more. What is asked
//! arrives as it was asked, or is an error before the call; what is answered is read from what the
//! service really sent.
//!
//! # Examples
//! Any server that speaks like OpenAI, such as llama.cpp, vLLM or LM Studio:
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
//! Ollama on this machine, which asks for no key, as a stream:
//! ```no_run
//! use futures::StreamExt;
//! use zeph_llm::{LlmProvider, LlmRequest, Prices, StreamPart};
//! use zeph_llm_genai::GenaiProvider;
//!
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! let model = GenaiProvider::builder("ollama::qwen3:8b").prices(Prices::FREE).build()?;
//! let mut parts = model.stream(&LlmRequest::new("Tell a story.")).await?;
//! let mut story = String::new();
//! while let Some(part) = parts.next().await {
//!     if let StreamPart::Text(text) = part? {
//!         story.push_str(&text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Anthropic; the key comes from wherever the program keeps it:
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
//! | | OpenAI and its like, Ollama | Anthropic | Gemini |
//! |---|---|---|---|
//! | path | `chat/completions` | `messages` | `models/MODEL:generateContent` |
//! | key | `authorization: Bearer` | `x-api-key` | `x-goog-api-key` |
//! | system | a message | `system` | `systemInstruction` |
//! | schema | `response_format`, strict where the dialect is | `output_config.format` | `generationConfig.responseJsonSchema` |
//! | JSON | `response_format` | error | `generationConfig.responseMimeType` |
//! | limit | `max_tokens`; `max_completion_tokens` to OpenAI itself | `max_tokens` | `generationConfig.maxOutputTokens` |
//! | seed | `seed`; `random_seed` to Mistral | error | `generationConfig.seed` |
//! | temperature | `temperature` | `temperature` | `generationConfig.temperature` |
//! | results of tools | messages of the role `tool` | one turn of `tool_result` | one turn of `functionResponse` |
//!
//! Without a limit of its own, a request to Anthropic gets the largest that genai knows for the model,
//! since that service wants one. System messages inside a conversation go to its front where a service
//! has but one place for them. Arguments of a tool call that were no object go back as
//! `{"arguments": …}`, for services read nothing else.
//!
//! # What comes back
//! One call is one request: nothing is tried again here, and no redirect is followed. A refusal, a
//! blocked prompt and a reached limit are answers with their reason. A stream that ends without the end
//! that its protocol has (`[DONE]`, `message_stop`, a `finishReason`) is cut. Errors have the kind that
//! status, code and words mean together, the wait that the service asks for in whichever header, at most
//! 600 bytes of its words, and never the key.
//!
//! # What to know
//! - Nothing is read from the environment, neither keys nor proxies. TLS is ring's, and trusts what the
//!   operating system trusts, as `SSL_CERT_FILE` and its kin say where there is such a custom.
//! - A key goes over http to this machine only, and past no proxy on another one, unless
//!   [`key_in_clear`](GenaiProviderBuilder::key_in_clear) says otherwise.
//! - What genai and the client below it would log is dropped: it may hold prompts, answers and keys.
//! - An answer is read into memory as it comes, and only the call's time bounds how much that is; a
//!   stream is also given up beyond 64 MiB of events or 16 MiB of text.
//! - Gemini's thought signatures have no place in the port. Gemini 3 wants them back with calls of
//!   tools, and gets the word that its documents name for that case.

mod address;
mod answer;
mod ask;
mod builder;
mod client;
mod fault;
mod provider;
mod said;
mod service;
mod stream;
mod wait;

pub use builder::{BuildError, GenaiProviderBuilder, Timeouts};
pub use provider::GenaiProvider;
pub use service::{Service, Wire, services, usual_key_variable};
