//! The definition of an agent: plain data that a host, a file or a test fills in.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use zeph_diagnostics::{Diagnostic, Diagnostics, Source, quote};

/// Who an agent is, what it may use and how much of it.
///
/// Plain data: a definition may say anything until it is [checked](Self::check), which
/// [`AgentCatalog::add`](crate::AgentCatalog::add) does for every one it takes. What a definition
/// does not name is not allowed: an agent without tools has none.
///
/// As JSON it is an object with the keys of the fields, `timeout_ms` for the time.
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
    /// `[A-Za-z_][A-Za-z0-9_-]{0,63}`; what plans and people call it.
    pub name: String,
    /// What it is good at, in a sentence or two: what a planner and a router read. At most 4 KiB.
    pub description: String,
    /// The model it asks, such as `ollama::qwen3:8b`; `None` is the host's default model.
    ///
    /// Not looked up here: only the provider knows its models.
    pub model: Option<String>,
    /// The tools it may use, by name; empty is none. At most 128.
    pub tools: BTreeSet<String>,
    /// What it can do or is for, as words that a task may require. At most 64.
    pub tags: BTreeSet<String>,
    /// How much it may use.
    pub limits: AgentLimits,
    /// The form of its answer.
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

    /// Whether everything in it is as the fields promise.
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

    /// Whether a host has every tool that it may use.
    ///
    /// # Errors
    /// Each tool that is not among the known ones, with the name that may have been meant.
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

    /// The problems with their source.
    fn result(&self, found: impl IntoIterator<Item = Diagnostic>) -> Result<(), Diagnostics> {
        let source = Source::without_text(&format!("agent {}", quote(&self.name)));
        let mut problems = Diagnostics::in_source(&source);
        problems.extend(found);
        problems.into_result()
    }
}

/// How much one attempt of an agent may use.
///
/// What a run may spend in total is the run's budget; these limits bound one attempt. The lanes of
/// the graph limit how many agents work at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AgentLimits {
    /// The most calls of the model in one attempt: each round of tool calls is followed by one.
    ///
    /// Default 8, at least 1. At 1 no tool's result is ever seen by the model; without a small
    /// number a model that repeats itself spends the whole budget.
    pub max_turns: u32,
    /// The most tokens that one call may answer with. Default 4,096, at least 1.
    ///
    /// Too few cut the answer off, and a cut JSON document fails the attempt; each call reserves
    /// this many from the budget, so too many let few calls run side by side.
    pub max_output_tokens: u32,
    /// The most tokens that one call may be asked with: prompt, parents' outputs and tool results
    /// together. Default 16,384, at least 1.
    ///
    /// Too few leave little of the parents' outputs; more than the model's window makes the
    /// provider refuse the call.
    pub max_input_tokens: u32,
    /// The longest time for one attempt, all turns together; above zero. Default `None`: the
    /// task's own time-out alone decides.
    ///
    /// Too short ends attempts whose calls are paid already.
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

/// Rounded up, so that what is not zero stays so.
fn as_millis<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    let millis = |time: Duration| u64::try_from(time.as_nanos().div_ceil(1_000_000));
    time.map(|time| millis(time).unwrap_or(u64::MAX))
        .serialize(to)
}

/// The form of an agent's answer.
///
/// Closed: who calls a model must know each form. As JSON: `"text"`, `"json"`, or
/// `{"schema": {…}}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentOutput {
    /// Any text.
    #[default]
    Text,
    /// Any JSON value.
    Json,
    /// A JSON value that this JSON schema accepts; an object, nested at most 32 deep.
    ///
    /// Whether it is a good schema is found by who validates with it.
    Schema(Value),
}
