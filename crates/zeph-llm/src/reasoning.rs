//! The reasoning of a model, apart from its answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The reasoning of a model, apart from its answer: shown to people, and sent back to its service with the
/// conversation, because some services demand that. It is never part of a result. Untrusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The text; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The fields that the service wants back, such as signatures of tool calls. Only the adapter that read
    /// them understands them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub echo: Map<String, Value>,
}

impl Reasoning {
    /// Whether there is neither text nor a field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.echo.is_empty()
    }
}
