//! Requests to a model: one type for all services.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_common::Effort;

use crate::Message;

/// A request to a model. Its JSON is stored with a call and identifies the reply in a replay.
///
/// # Examples
/// ```
/// use zeph_llm::{LlmRequest, Message};
/// let request = LlmRequest::new("Name a colour.").max_output_tokens(20);
/// assert_eq!(request.messages, [Message::user("Name a colour.")]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LlmRequest {
    /// The purpose of the request. It is not sent to a service. Default: [`Purpose::Other`].
    #[serde(default, skip_serializing_if = "Purpose::is_other")]
    pub purpose: Purpose,
    /// The model, in the provider's spelling. Default: the provider's own choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The conversation, oldest turn first.
    pub messages: Vec<Message>,
    /// The tools that the model may call. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// Whether it must call one. Default: the model decides.
    #[serde(default)]
    pub tool_choice: ToolChoice,
    /// The format of the answer. Default: text.
    #[serde(default)]
    pub output: OutputFormat,
    /// The most tokens of the answer. Default: the provider's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// How much the model thinks before it answers. Default: the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// The sampling temperature, from 0 (the most probable token) to 2. Default: the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The seed of sampling, for services that support one. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The longest time of one call, from its first byte to its last. Default: the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

impl LlmRequest {
    /// A request with one user message.
    #[must_use]
    pub fn new(prompt: impl Into<String>) -> Self {
        Self::of(vec![Message::user(prompt)])
    }

    /// A request with a conversation.
    #[must_use]
    pub fn of(messages: Vec<Message>) -> Self {
        Self {
            messages,
            ..Self::default()
        }
    }

    /// The same request with that purpose.
    #[must_use]
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// The same request to that model.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The same request with a system message in front.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.messages.insert(0, Message::system(text));
        self
    }

    /// The same request with one more tool.
    #[must_use]
    pub fn tool(mut self, tool: ToolSpec) -> Self {
        self.tools.push(tool);
        self
    }

    /// The same request with that format of the answer.
    #[must_use]
    pub fn output(mut self, output: OutputFormat) -> Self {
        self.output = output;
        self
    }

    /// The same request with a limit for the answer.
    #[must_use]
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.max_output_tokens = Some(tokens);
        self
    }

    /// The same request with that effort; `None` is the provider's own.
    #[must_use]
    pub fn effort(mut self, effort: impl Into<Option<Effort>>) -> Self {
        self.effort = effort.into();
        self
    }

    /// The same request with that temperature.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// The same request with a time limit.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The bytes of the request as JSON: an upper bound of its tokens, because a token has at least one byte.
    #[must_use]
    pub fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |json| json.len())
    }
}

/// The purpose of a request: for metrics, recordings and scripted providers.
///
/// A provider gives the same answer whatever the purpose is, unless it is scripted. The words of
/// [`as_str`](Self::as_str) are stable; JSON uses the same ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Turns a goal into a plan.
    Plan,
    /// Corrects a plan that was rejected.
    RepairPlan,
    /// Performs a task as an agent.
    Work,
    /// Writes the answer to a goal from the results of its tasks.
    Answer,
    /// Shortens results that do not fit into one request.
    Summarize,
    /// Decides whether the result of a task is accepted.
    Judge,
    /// None of these.
    #[default]
    Other,
}

impl Purpose {
    /// The word in JSON, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::RepairPlan => "repair_plan",
            Self::Work => "work",
            Self::Answer => "answer",
            Self::Summarize => "summarize",
            Self::Judge => "judge",
            Self::Other => "other",
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde calls"
    )]
    const fn is_other(&self) -> bool {
        matches!(self, Self::Other)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A tool that a model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name: 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `_` and `-`, as all services accept.
    pub name: String,
    /// The description for the model.
    pub description: String,
    /// The JSON Schema of its arguments, an object.
    pub parameters: Value,
}

/// Whether a model must call a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// It must not call a tool.
    None,
    /// It must call a tool.
    Required,
    /// It must call this tool.
    Named(String),
}

/// The format of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormat {
    /// Any text.
    #[default]
    Text,
    /// Any JSON.
    Json,
    /// JSON that follows a schema.
    Schema(OutputSchema),
}

/// A JSON Schema for an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// A name for the service: 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `_` and `-`.
    pub name: String,
    /// The schema in its strict form, as [`AnswerSchema::ask`](crate::AnswerSchema::ask) makes it.
    pub schema: Value,
}

#[cfg(test)]
mod tests {
    use super::{LlmRequest, Purpose};
    use serde_json::json;

    #[test]
    fn a_purpose_has_the_same_word_in_json_and_in_text() {
        let all = [
            Purpose::Plan,
            Purpose::RepairPlan,
            Purpose::Work,
            Purpose::Answer,
            Purpose::Summarize,
            Purpose::Judge,
            Purpose::Other,
        ];
        for purpose in all {
            assert_eq!(json!(purpose), json!(purpose.to_string()));
        }
        let request = LlmRequest::new("x");
        assert!(json!(request).get("purpose").is_none());
        let request = request.purpose(Purpose::Work);
        assert_eq!(json!(request)["purpose"], "work");
    }
}
