//! Messages: what is said to a model, and what it says.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One turn of a conversation.
///
/// Closed: whoever sends a conversation must know every kind of turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// What the program says about the conversation. Trusted text only.
    System {
        /// The text.
        text: String,
    },
    /// What the model is asked.
    User {
        /// The text.
        text: String,
    },
    /// What the model said before.
    Assistant {
        /// Its text; may be empty when it called tools.
        text: String,
        /// The tools that it called.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
    },
    /// What a tool gave back.
    Tool {
        /// The call that this answers.
        call_id: String,
        /// The name of the tool.
        name: String,
        /// What it gave back.
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

    /// Something the model said.
    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant {
            text: text.into(),
            tool_calls: Vec::new(),
        }
    }

    /// The answer to a tool call.
    #[must_use]
    pub fn tool(call: &ToolCall, text: impl Into<String>) -> Self {
        Self::Tool {
            call_id: call.id.clone(),
            name: call.name.clone(),
            text: text.into(),
        }
    }

    /// The text of the turn.
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

/// A model's wish to have a tool called. Untrusted: name and arguments are what the model wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The call's id, unique in its answer; made up here when the service gives none.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments; text that is no JSON stays a JSON string.
    pub arguments: Value,
}
