//! Capabilities of a provider: schemas, tools, streaming, limits and prices.

use serde::{Deserialize, Serialize};

use crate::{ErrorKind, LlmError, LlmRequest, OutputFormat, Usage};

/// The abilities of a provider with its default model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The support for schemas of answers.
    pub schema: SchemaSupport,
    /// Whether the model can call tools.
    pub tools: bool,
    /// Whether answers are streamed as they are generated.
    pub streaming: bool,
    /// The most tokens of request and answer together, if known.
    pub context_tokens: Option<u32>,
    /// The most tokens of one answer, if known.
    pub max_output_tokens: Option<u32>,
    /// The prices, if known. A run with a budget in dollars refuses calls whose price is unknown.
    pub prices: Option<Prices>,
}

impl Capabilities {
    /// The least that every model can do: answer with text. Limits and prices are unknown.
    pub const TEXT: Self = Self {
        schema: SchemaSupport::Prompt,
        tools: false,
        streaming: false,
        context_tokens: None,
        max_output_tokens: None,
        prices: None,
    };

    /// The same with calls of tools.
    #[must_use]
    pub const fn with_tools(self) -> Self {
        Self {
            tools: true,
            ..self
        }
    }

    /// The same with that support for schemas.
    #[must_use]
    pub const fn with_schema(self, schema: SchemaSupport) -> Self {
        Self { schema, ..self }
    }

    /// The same with these prices.
    #[must_use]
    pub const fn with_prices(self, prices: Prices) -> Self {
        Self {
            prices: Some(prices),
            ..self
        }
    }

    /// Checks that a request needs only these capabilities. Errors name `provider`.
    ///
    /// # Errors
    /// Of kind `Unsupported` for tools or JSON mode, of kind `SchemaRejected` for a schema.
    pub fn check(&self, request: &LlmRequest, provider: &str) -> Result<(), LlmError> {
        let (kind, what) = match (&request.output, self.schema) {
            _ if !request.tools.is_empty() && !self.tools => (ErrorKind::Unsupported, "tools"),
            (OutputFormat::Json, SchemaSupport::Prompt | SchemaSupport::Never) => {
                (ErrorKind::Unsupported, "JSON mode")
            }
            (
                OutputFormat::Schema(_),
                SchemaSupport::Json | SchemaSupport::Prompt | SchemaSupport::Never,
            ) => (ErrorKind::SchemaRejected, "schemas"),
            (OutputFormat::Text, _)
            | (OutputFormat::Json, SchemaSupport::Json)
            | (OutputFormat::Json | OutputFormat::Schema(_), SchemaSupport::Schema) => {
                return Ok(());
            }
        };
        let message = format!("the provider does not support {what}");
        Err(LlmError::new(kind, provider, message))
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::TEXT
    }
}

/// The support of a provider for schemas of answers. [`AnswerSchema`](crate::AnswerSchema) validates the
/// answer in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaSupport {
    /// It enforces a schema in the strict form; other schemas are put into the prompt.
    Schema,
    /// It guarantees JSON; the schema is put into the prompt.
    Json,
    /// It guarantees no form; the schema is put into the prompt.
    Prompt,
    /// It cannot answer with JSON; [`AnswerSchema::ask`](crate::AnswerSchema::ask) returns an error.
    Never,
}

/// Prices of a million tokens, in millionths of a dollar: 3 dollars for a million tokens are 3,000,000.
///
/// # Examples
/// ```
/// use zeph_llm::{Prices, Usage};
/// let prices = Prices { input: 3_000_000, output: 15_000_000, ..Prices::FREE };
/// let usage = Usage { input_tokens: Some(1_000), output_tokens: Some(100) };
/// assert_eq!(prices.of(usage), Some(4_500));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// The price of a million tokens of requests, in millionths of a dollar.
    pub input: u64,
    /// The price of a million tokens of answers, in millionths of a dollar.
    pub output: u64,
    /// The price of a call beside its tokens, in millionths of a dollar.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub per_call: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Prices {
    /// No costs, as for a local model.
    pub const FREE: Self = Self {
        input: 0,
        output: 0,
        per_call: 0,
    };

    /// The cost of these tokens in millionths of a dollar, rounded up.
    #[must_use]
    pub fn cost(self, input_tokens: u32, output_tokens: u32) -> u64 {
        let part = |price: u64, tokens: u32| u128::from(price) * u128::from(tokens);
        let sum = part(self.input, input_tokens) + part(self.output, output_tokens);
        let tokens = u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX);
        tokens.saturating_add(self.per_call)
    }

    /// The cost of an answer, if its usage is known.
    #[must_use]
    pub fn of(self, usage: Usage) -> Option<u64> {
        Some(self.cost(usage.input_tokens?, usage.output_tokens?))
    }
}
