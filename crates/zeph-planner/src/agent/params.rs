//! What a task of the action `agent` says.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_subagent::AgentOutput;

/// The parameters of a task that an agent does, as JSON; only `prompt` is required.
///
/// # Examples
/// ```
/// use zeph_planner::AgentParams;
/// let params = AgentParams::new("Group these commits by area");
/// let json = serde_json::json!({ "prompt": "Group these commits by area" });
/// assert_eq!(serde_json::from_value::<AgentParams>(json)?, params);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentParams {
    /// The agent that is to do it; `None` lets the router choose.
    #[serde(default)]
    pub agent: Option<String>,
    /// What to do. Trusted: a person or the plan's author wrote it.
    pub prompt: String,
    /// The tools that it may use, each of them one of the agent's; `None` is all of the agent's.
    #[serde(default)]
    pub tools: Option<Vec<String>>,
    /// What the agent must be able to do, for the router.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The form of the result; `None` is the form that the agent's definition names.
    #[serde(default)]
    pub output: Option<OutputParam>,
    /// The parents whose results it sees; `None` is all of them.
    #[serde(default)]
    pub context: Option<Vec<String>>,
    /// The most tokens of each answer; `None` is the agent's own limit, which it cannot exceed.
    #[serde(default)]
    pub max_output_tokens: Option<u32>,
}

/// The form of a result, as a task asks for it: `"text"`, `"json"`, `{ "schema": {…} }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputParam {
    /// Any text.
    Text,
    /// Any JSON value.
    Json,
    /// A JSON value of that schema.
    Schema(Value),
}

impl AgentParams {
    /// A task for any agent, with that prompt.
    #[must_use]
    pub fn new(prompt: impl Into<String>) -> Self {
        Self {
            prompt: prompt.into(),
            ..Self::default()
        }
    }
}

impl From<OutputParam> for AgentOutput {
    fn from(output: OutputParam) -> Self {
        match output {
            OutputParam::Text => Self::Text,
            OutputParam::Json => Self::Json,
            OutputParam::Schema(schema) => Self::Schema(schema),
        }
    }
}
