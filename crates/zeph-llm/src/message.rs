//! Messages of a conversation with a model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Reasoning;

/// One message of a conversation.
///
/// Exhaustive, because every adapter must handle every kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// Instructions to the model. Only trusted text belongs here.
    System {
        /// The text.
        text: String,
    },
    /// A request to the model.
    User {
        /// The text.
        text: String,
    },
    /// An earlier answer of the model.
    Assistant {
        /// The text; may be empty if there are tool calls.
        text: String,
        /// The tool calls.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
        /// The reasoning of the model; some services require it in the next request.
        #[serde(default, skip_serializing_if = "Reasoning::is_empty")]
        reasoning: Reasoning,
    },
    /// The result of a tool call.
    Tool {
        /// The id of the call.
        call_id: String,
        /// The name of the tool.
        name: String,
        /// The result.
        text: String,
    },
}

impl Message {
    /// A system message.
    #[must_use]
    pub fn system(text: impl Into<String>) -> Self {
        Self::System { text: text.into() }
    }

    /// A user message.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self::User { text: text.into() }
    }

    /// An answer of the model, without tool calls.
    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant {
            text: text.into(),
            tool_calls: Vec::new(),
            reasoning: Reasoning::default(),
        }
    }

    /// The result of a tool call.
    #[must_use]
    pub fn tool(call: &ToolCall, text: impl Into<String>) -> Self {
        Self::Tool {
            call_id: call.id.clone(),
            name: call.name.clone(),
            text: text.into(),
        }
    }

    /// The text of the message.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::System { text }
            | Self::User { text }
            | Self::Assistant { text, .. }
            | Self::Tool { text, .. } => text,
        }
    }
}

/// A tool call that a model asks for. Name and arguments are untrusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The id, unique within the answer; generated if the service sends none.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments as JSON. Arguments that are not valid JSON are a JSON string with their text.
    pub arguments: Value,
}
