//! The parameters of the action `agent`.

use serde::{Deserialize, Serialize};
use zeph_common::Effort;
use zeph_subagent::{AgentOutput, SubAgentDef};

/// The parameters of the action `agent`, as JSON; only `prompt` is required.
///
/// # Examples
/// ```
/// use zeph_planner::agent::AgentParams;
/// let params = AgentParams::new("Group these commits by area");
/// let json = serde_json::json!({ "prompt": "Group these commits by area" });
/// assert_eq!(serde_json::from_value::<AgentParams>(json)?, params);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentParams {
    /// The agent; `None` lets the router choose.
    #[serde(default)]
    pub agent: Option<String>,
    /// The instruction. Trusted: it comes from the plan's author or a person.
    pub prompt: String,
    /// The model; `None` is that of the agent. An agent that is a program has no other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How much the model thinks before it answers; `None` is the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// The tools that it may use, all of them among the agent's tools; `None` allows all of these.
    #[serde(default)]
    pub tools: Option<Vec<String>>,
    /// The abilities that the agent must have, for the router.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The output format; `None` is the format of the agent's definition.
    #[serde(default)]
    pub output: Option<AgentOutput>,
    /// The parents whose results it sees; `None` shows all of them.
    #[serde(default)]
    pub context: Option<Vec<String>>,
    /// The most tokens of each answer, at most the agent's own limit, which is also the default.
    #[serde(default)]
    pub max_output_tokens: Option<u32>,
}

impl AgentParams {
    /// The model that does the task if that agent does it; `None` is the host's default model.
    pub(super) fn model_of<'a>(&'a self, agent: &'a SubAgentDef) -> Option<&'a str> {
        let own = self.model.as_deref().filter(|_| agent.program.is_none());
        own.or(agent.model.as_deref())
    }

    /// A task for any agent, with that prompt.
    #[must_use]
    pub fn new(prompt: impl Into<String>) -> Self {
        Self {
            prompt: prompt.into(),
            ..Self::default()
        }
    }
}
