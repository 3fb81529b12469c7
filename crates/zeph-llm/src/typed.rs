//! Typed answers: a schema goes out, a value comes back, and it is validated here whatever was promised.
//!
//! [`LlmProviderExt`] is the short way. [`AnswerSchema`] is the same in two halves, for whoever makes
//! several calls with one schema, or tools in between: [`ask`](AnswerSchema::ask) before the call,
//! [`read`](AnswerSchema::read) after it.

mod answer;
mod error;
mod prompt;
mod validate;

use std::future::Future;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Dialect, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, Tolerated};

pub use answer::AnswerSchema;
pub use error::{Problem, TypedError};

/// An answer of a type.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed<T> {
    /// The answer.
    pub value: T,
    /// What it came in, with what it cost.
    pub response: LlmResponse,
    /// How the provider was held to the schema.
    pub mode: SchemaMode,
    /// What was passed over or mended to read it; empty if the text was the value.
    pub repairs: Vec<Tolerated>,
}

/// How a provider was held to a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaMode {
    /// By the service, in this dialect.
    Native(Dialect),
    /// The service promised JSON; the schema stood in the prompt.
    Json,
    /// By the prompt alone.
    Prompt,
}

/// What to do when a provider does not take the schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// It is an error, before the call where that can be known.
    #[default]
    Error,
    /// The schema goes into the prompt. A service that refuses it only when called costs a second call.
    Prompt,
}

/// Typed answers of any provider.
///
/// The schema is rewritten for the provider's dialect and held to its limits before the call. A
/// provider that has no schemas, by its own [capabilities](LlmProvider::capabilities), gets it in the
/// prompt; one that has them and does not take this one is an error, unless the
/// [`Fallback`] says otherwise.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_llm::{LlmError, LlmProviderExt as _, LlmRequest, LlmResponse, SchemaMode, provider_fn};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Colour { name: String, warmth: Option<u8> }
///
/// let provider = provider_fn("painter", |_request: LlmRequest| async {
///     Ok::<_, LlmError>(LlmResponse::text(r#"Of course: {"name": "ochre"}"#))
/// });
/// let answer = provider.complete_typed::<Colour>(&LlmRequest::new("A colour?")).await?;
/// assert_eq!((answer.value.name.as_str(), answer.value.warmth), ("ochre", None));
/// assert_eq!((answer.mode, answer.repairs.len()), (SchemaMode::Prompt, 1));
/// # Ok(())
/// # }
/// ```
pub trait LlmProviderExt: LlmProvider {
    /// Asks for a value of a type. The schema is named after the type.
    ///
    /// # Errors
    /// [`TypedError`] tells apart what helps: another call, more room, a smaller schema, a re-ask.
    fn complete_typed<T: DeserializeOwned + JsonSchema>(
        &self,
        request: &LlmRequest,
    ) -> impl Future<Output = Result<Typed<T>, TypedError>> + Send {
        self.complete_typed_or(request, Fallback::Error)
    }

    /// Asks for a value of a type, with a say in what happens if the provider does not take its schema.
    ///
    /// # Errors
    /// As [`complete_typed`](Self::complete_typed).
    fn complete_typed_or<T: DeserializeOwned + JsonSchema>(
        &self,
        request: &LlmRequest,
        fallback: Fallback,
    ) -> impl Future<Output = Result<Typed<T>, TypedError>> + Send {
        let schema = AnswerSchema::of::<T>();
        async move {
            let schema = schema?;
            let answer = self.complete_as(request, &schema, fallback).await?;
            schema.typed(answer)
        }
    }

    /// Asks for a value of a schema. The name is for the service: 1 to 64 characters of letters, digits,
    /// `_` and `-`; others become `_`.
    ///
    /// # Errors
    /// As [`complete_typed`](Self::complete_typed); also if the schema is none.
    fn complete_schema(
        &self,
        request: &LlmRequest,
        schema: &Value,
        name: &str,
    ) -> impl Future<Output = Result<Typed<Value>, TypedError>> + Send {
        let schema = AnswerSchema::new(name, schema.clone());
        async move { self.complete_as(request, &schema?, Fallback::Error).await }
    }

    /// Asks for a value of a schema that is compiled already.
    ///
    /// # Errors
    /// As [`complete_typed`](Self::complete_typed).
    fn complete_as(
        &self,
        request: &LlmRequest,
        schema: &AnswerSchema,
        fallback: Fallback,
    ) -> impl Future<Output = Result<Typed<Value>, TypedError>> + Send {
        async move {
            let support = self.capabilities().schema;
            let (asked, mode) = schema.ask(request, support, fallback, self.name())?;
            let (response, mode) = match (self.complete(&asked).await, mode) {
                (Err(error), SchemaMode::Native(_)) if is_fallback(&error, fallback) => {
                    let asked = schema.in_prompt(request, SchemaMode::Prompt);
                    (self.complete(&asked).await?, SchemaMode::Prompt)
                }
                (response, mode) => (response?, mode),
            };
            schema.read(response, mode)
        }
    }
}

impl<P: LlmProvider + ?Sized> LlmProviderExt for P {}

fn is_fallback(error: &LlmError, fallback: Fallback) -> bool {
    error.kind() == ErrorKind::SchemaRejected && fallback == Fallback::Prompt
}

#[cfg(test)]
mod tests;
