//! Responses: what a model said, why it stopped, what it cost.

use serde::{Deserialize, Serialize};

use crate::{Message, ToolCall};

/// What a model answered. Untrusted, all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LlmResponse {
    /// The text; may be empty.
    pub text: String,
    /// The tools that it wants called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub stop: StopReason,
    /// What it cost, as far as the service said.
    #[serde(default)]
    pub usage: Usage,
    /// The model that answered, as the service named it; empty if it did not.
    #[serde(default)]
    pub model: String,
    /// The provider that gave it, where several could; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider: String,
}

impl LlmResponse {
    /// A text that ended by itself.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            tool_calls: Vec::new(),
            stop: StopReason::End,
            usage: Usage::default(),
            model: String::new(),
            provider: String::new(),
        }
    }

    /// A call of tools.
    #[must_use]
    pub fn calls(tool_calls: Vec<ToolCall>) -> Self {
        Self {
            tool_calls,
            stop: StopReason::ToolCalls,
            ..Self::text("")
        }
    }

    /// The same answer with what it cost.
    #[must_use]
    pub fn usage(mut self, input_tokens: u32, output_tokens: u32) -> Self {
        self.usage = Usage {
            input_tokens: Some(input_tokens),
            output_tokens: Some(output_tokens),
        };
        self
    }

    /// The same answer with that reason to stop.
    #[must_use]
    pub fn stopped(mut self, stop: StopReason) -> Self {
        self.stop = stop;
        self
    }

    /// The answer as a turn of the conversation.
    #[must_use]
    pub fn message(&self) -> Message {
        Message::Assistant {
            text: self.text.clone(),
            tool_calls: self.tool_calls.clone(),
        }
    }
}

impl From<String> for LlmResponse {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for LlmResponse {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// It was done.
    End,
    /// The answer reached its limit of tokens and is cut off.
    MaxTokens,
    /// It wants tools called.
    ToolCalls,
    /// It, or a filter of the service, declined to answer; the text says how, if it says anything.
    Refusal,
    /// The service gave another reason, or none.
    Other(String),
}

/// What an answer cost, in tokens, as the service reported it.
///
/// Absent is absent: a number that was missing, negative or no number is `None`, never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u32>,
    /// Tokens of the answer, hidden reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u32>,
}

impl Usage {
    /// Both together, if both are known.
    #[must_use]
    pub fn total(self) -> Option<u32> {
        Some(self.input_tokens?.saturating_add(self.output_tokens?))
    }
}
