//! The definition of an agent: plain data, made by a host, a file or a test.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_common::Effort;

use zeph_diagnostics::{Diagnostic, Diagnostics, Source, quote};

use super::program::AgentProgram;

/// The definition of an agent: its prompt, its model, its tools and its limits.
///
/// Plain data: the fields may have any value until they are [checked](Self::check), and
/// [`AgentCatalog::add`](crate::AgentCatalog::add) checks every definition. An agent may use only the tools
/// that its definition lists.
///
/// As JSON it is an object with the fields as keys; the time limit is `timeout_ms`.
///
/// # Examples
/// ```
/// use zeph_subagent::SubAgentDef;
/// let agent = SubAgentDef::new("analyst", "Groups and counts things", "You group things by area.")
///     .model("ollama::qwen3:8b")
///     .tool("read_file")
///     .tag("analysis");
/// assert!(agent.check().is_ok());
/// assert!(agent.tools.contains("read_file"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubAgentDef {
    /// The name in plans: `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
    pub name: String,
    /// The abilities in a sentence or two, for planners and routers. At most 4 KiB.
    pub description: String,
    /// The model, such as `ollama::qwen3:8b`; `None` is the host's default model.
    ///
    /// Not checked here, because only the provider knows its models.
    pub model: Option<String>,
    /// How much the model thinks before it answers; `None` is the model's own choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// The program that the agent is, instead of a model with tools; `None` for most agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<AgentProgram>,
    /// The tools that it may use, by name; empty is none. At most 128.
    pub tools: BTreeSet<String>,
    /// The abilities as words that a task may require. At most 64.
    pub tags: BTreeSet<String>,
    /// The limits of one attempt.
    pub limits: AgentLimits,
    /// The format of the answer.
    pub output: AgentOutput,
    /// The system prompt.
    pub prompt: String,
}

impl SubAgentDef {
    /// A definition with the default limits, no tools, no tags, and a text as its answer.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        prompt: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            model: None,
            effort: None,
            program: None,
            tools: BTreeSet::new(),
            tags: BTreeSet::new(),
            limits: AgentLimits::default(),
            output: AgentOutput::default(),
            prompt: prompt.into(),
        }
    }

    /// Names the model. Default: none, which is the host's default model.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets how much the model thinks before it answers. Default: the model's own choice.
    #[must_use]
    pub const fn effort(mut self, effort: Effort) -> Self {
        self.effort = Some(effort);
        self
    }

    /// Makes the agent a program, which is its [model](AgentProgram::model_name). Default: it is none.
    #[must_use]
    pub fn program(mut self, program: AgentProgram) -> Self {
        self.model = Some(AgentProgram::model_name(&self.name));
        self.program = Some(program);
        self
    }

    /// Allows a tool. Default: none.
    #[must_use]
    pub fn tool(mut self, name: impl Into<String>) -> Self {
        self.tools.insert(name.into());
        self
    }

    /// Adds a tag. Default: none.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.insert(tag.into());
        self
    }

    /// Sets the limits. Default: see [`AgentLimits`].
    #[must_use]
    pub const fn limits(mut self, limits: AgentLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the form of the answer. Default: a text.
    #[must_use]
    pub fn output(mut self, output: AgentOutput) -> Self {
        self.output = output;
        self
    }

    /// Checks all fields.
    ///
    /// # Errors
    /// All problems, in the order of the fields.
    ///
    /// # Examples
    /// ```
    /// use zeph_subagent::{SubAgentDef, code};
    /// let problems = SubAgentDef::new("../x", "", "Work.").check().unwrap_err();
    /// let codes: Vec<_> = problems.iter().map(|one| one.code).collect();
    /// assert_eq!(codes, [code::BAD_NAME, code::EMPTY_TEXT]);
    /// ```
    pub fn check(&self) -> Result<(), Diagnostics> {
        self.result(super::check::all(self))
    }

    /// Checks that a host has every tool of the definition.
    ///
    /// # Errors
    /// Each tool that the host does not have, with the closest known name.
    ///
    /// # Examples
    /// ```
    /// use zeph_subagent::SubAgentDef;
    /// let agent = SubAgentDef::new("reader", "Reads files", "You read.").tool("read_fil");
    /// let problems = agent.check_tools(["read_file", "search"]).unwrap_err();
    /// assert!(problems.to_string().contains(r#"did you mean "read_file"?"#));
    /// ```
    pub fn check_tools<'a>(
        &self,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Diagnostics> {
        let known = known.into_iter().collect();
        let unknown = |tool: &String| super::check::unknown_tool(tool, &known);
        self.result(self.tools.iter().filter_map(unknown))
    }

    /// The problems of the definition, each with the source.
    fn result(&self, found: impl IntoIterator<Item = Diagnostic>) -> Result<(), Diagnostics> {
        let source = Source::without_text(&format!("agent {}", quote(&self.name)));
        let mut problems = Diagnostics::in_source(&source);
        problems.extend(found);
        problems.into_result()
    }
}

/// The limits of one attempt of an agent.
///
/// The total cost of a run is limited by the run's budget, and the number of agents that work at the same
/// time by the lanes of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AgentLimits {
    /// The most model calls of one attempt; each round of tool calls needs one more.
    ///
    /// Default 8, at least 1. With 1 the model sees no tool result. With a large number a model that
    /// repeats itself may spend the whole budget.
    pub max_turns: u32,
    /// The most output tokens of one call. Default 4,096, at least 1.
    ///
    /// A small limit cuts answers off, and a JSON answer that is cut off fails the attempt. Each call
    /// reserves this many tokens in the budget, so a large limit reduces the number of parallel calls.
    pub max_output_tokens: u32,
    /// The most input tokens of one call: prompt, parents' outputs and tool results together. Default
    /// 16,384, at least 1.
    ///
    /// A small limit leaves little room for the parents' outputs. With a limit above the model's context
    /// window the provider rejects long requests.
    pub max_input_tokens: u32,
    /// The time limit of one attempt, all turns together; above zero. Default `None`: only the task's own
    /// time-out applies.
    ///
    /// A short limit ends attempts after their calls are paid for.
    #[serde(rename = "timeout_ms", serialize_with = "as_millis")]
    pub timeout: Option<Duration>,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            max_turns: 8,
            max_output_tokens: 4_096,
            max_input_tokens: 16_384,
            timeout: None,
        }
    }
}

/// Rounded up, so that a value above zero stays above zero.
fn as_millis<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    let millis = |time: Duration| u64::try_from(time.as_nanos().div_ceil(1_000_000));
    time.map(|time| millis(time).unwrap_or(u64::MAX))
        .serialize(to)
}

/// The format of an agent's answer.
///
/// Closed, because an executor must handle every format. As JSON: `"text"`, `"json"`, or `{"schema": {…}}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentOutput {
    /// Any text.
    #[default]
    Text,
    /// Any JSON value.
    Json,
    /// A JSON value that this JSON schema accepts; an object, nested at most 32 deep.
    ///
    /// The executor of the agent checks that it is a valid JSON Schema.
    Schema(Value),
}
