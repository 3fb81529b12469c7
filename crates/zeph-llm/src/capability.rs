//! Capabilities: what a provider can do, as a value that is looked at before a call.

use serde::{Deserialize, Serialize};

use crate::Usage;

/// What a provider, with its default model, can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// How an answer is held to a schema.
    pub schema: SchemaSupport,
    /// Whether it can call tools.
    pub tools: bool,
    /// Whether an answer comes in pieces as it is made.
    pub streaming: bool,
    /// Tokens that request and answer may have together, if known.
    pub context_tokens: Option<u32>,
    /// The most tokens of one answer, if known.
    pub max_output_tokens: Option<u32>,
    /// What it costs, if known. Unknown is not free: a budget of money then refuses the call.
    pub prices: Option<Prices>,
}

impl Capabilities {
    /// Text only, limits unknown: what can be said of any model.
    pub const TEXT: Self = Self {
        schema: SchemaSupport::Prompt,
        tools: false,
        streaming: false,
        context_tokens: None,
        max_output_tokens: None,
        prices: None,
    };
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::TEXT
    }
}

/// How a provider holds an answer to a schema. Whatever it promises, the answer is validated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaSupport {
    /// It takes a schema in this dialect.
    Schema(Dialect),
    /// It promises JSON, of no schema in particular; the schema goes into the prompt.
    Json,
    /// It promises nothing; the schema goes into the prompt.
    Prompt,
    /// It must not be asked for anything but text.
    Never,
}

/// The part of JSON Schema that a family of services accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Every property required, none besides, at most 10 levels: OpenAI in strict mode.
    OpenAiStrict,
    /// At most 24 optional and 16 union parameters: Anthropic.
    Anthropic,
    /// No references, no `additionalProperties`: Gemini.
    Gemini,
    /// What grammars of local servers are made from (llama.cpp, Ollama, vLLM): inlined, without formats.
    Grammar,
}

/// Prices in millionths of a dollar for a million tokens, which is the number of dollars.
///
/// # Examples
/// ```
/// use zeph_llm::{Prices, Usage};
/// let prices = Prices { input: 3_000_000, output: 15_000_000 };
/// let usage = Usage { input_tokens: Some(1_000), output_tokens: Some(100) };
/// assert_eq!(prices.of(usage), Some(4_500));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// For a million tokens of requests, in millionths of a dollar.
    pub input: u64,
    /// For a million tokens of answers, in millionths of a dollar.
    pub output: u64,
}

impl Prices {
    /// Free of charge: a model on one's own machine.
    pub const FREE: Self = Self {
        input: 0,
        output: 0,
    };

    /// What so many tokens cost, in millionths of a dollar, rounded up.
    #[must_use]
    pub fn cost(self, input_tokens: u32, output_tokens: u32) -> u64 {
        let part = |price: u64, tokens: u32| u128::from(price) * u128::from(tokens);
        let sum = part(self.input, input_tokens) + part(self.output, output_tokens);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// What an answer cost, if its usage is known.
    #[must_use]
    pub fn of(self, usage: Usage) -> Option<u64> {
        Some(self.cost(usage.input_tokens?, usage.output_tokens?))
    }
}
