//! Responses of a model: text, tool calls, stop reason, usage.

use serde::{Deserialize, Serialize};

use crate::{Message, Reasoning, ToolCall};

/// The response of a model. All of it is untrusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LlmResponse {
    /// The text; may be empty.
    pub text: String,
    /// The tool calls that the model asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The reasoning, apart from the text.
    #[serde(default, skip_serializing_if = "Reasoning::is_empty")]
    pub reasoning: Reasoning,
    /// The reason to stop.
    pub stop: StopReason,
    /// The usage, as far as the service reports it.
    #[serde(default)]
    pub usage: Usage,
    /// The model, as the service names it; empty if it does not.
    #[serde(default)]
    pub model: String,
    /// The provider, if several are possible; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider: String,
}

impl LlmResponse {
    /// A complete text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            tool_calls: Vec::new(),
            reasoning: Reasoning::default(),
            stop: StopReason::End,
            usage: Usage::default(),
            model: String::new(),
            provider: String::new(),
        }
    }

    /// Tool calls.
    #[must_use]
    pub fn calls(tool_calls: Vec<ToolCall>) -> Self {
        Self {
            tool_calls,
            stop: StopReason::ToolCalls,
            ..Self::text("")
        }
    }

    /// The same answer with that usage.
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

    /// The answer as a message of the conversation.
    #[must_use]
    pub fn message(&self) -> Message {
        Message::Assistant {
            text: self.text.clone(),
            tool_calls: self.tool_calls.clone(),
            reasoning: self.reasoning.clone(),
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

/// The reason of a model to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The answer is complete.
    End,
    /// The answer reached its token limit and is cut off.
    MaxTokens,
    /// The model asks for tool calls.
    ToolCalls,
    /// The model or a filter of the service declined to answer; the text may give the reason.
    Refusal,
    /// The service gave another reason, or none.
    Other(String),
}

/// The tokens of a call, as the service reported them. A missing or invalid number is `None`, never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u32>,
    /// Tokens of the answer, including hidden reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u32>,
}

impl Usage {
    /// The sum, if both are known.
    #[must_use]
    pub fn total(self) -> Option<u32> {
        Some(self.input_tokens?.saturating_add(self.output_tokens?))
    }
}
