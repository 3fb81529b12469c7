//! The llm_context: everything that the roles of a model share, in one value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use zeph_executor::{TaskContext, TaskError};
use zeph_llm::{EstimatingCounter, Gate, LlmProvider, RetryPolicy, TokenCounter};
use zeph_sanitizer::ContentSanitizer;
use zeph_subagent::{AgentCatalog, AgentRouter, SubAgentDef};

use super::builder::LlmContextBuilder;
use super::metered::{Metered, Tally};
use super::model_client::ModelClient;
use crate::{PromptName, Prompts, Tools};

/// Whom planner, agents and aggregator work with: models, agents, tools, prompts, sanitizer, limits.
///
/// Made by a [builder](LlmContext::builder) from a provider; everything else has a safe default and is
/// replaced by one line. One llm_context serves any number of runs.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use zeph_llm::{Capabilities, LlmError, LlmProvider, LlmRequest, LlmResponse, async_trait};
/// use zeph_planner::LlmContext;
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
///
/// struct Parrot;
///
/// #[async_trait]
/// impl LlmProvider for Parrot {
///     fn name(&self) -> &str { "parrot" }
///     fn capabilities(&self) -> Capabilities { Capabilities::TEXT }
///     async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
///         Ok(LlmResponse::text(request.messages.last().map_or("", |last| last.text())))
///     }
/// }
///
/// let mut agents = AgentCatalog::new();
/// agents.add(SubAgentDef::new("analyst", "Groups and counts", "You group things."))?;
/// let llm_context = LlmContext::builder(Arc::new(Parrot)).agents(agents).build()?;
/// assert_eq!(llm_context.agents().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LlmContext {
    pub(super) default_model: Model,
    pub(super) models: BTreeMap<String, Model>,
    pub(super) unlisted: Unlisted,
    pub(super) sanitizer: Arc<dyn ContentSanitizer>,
    pub(super) prompts: Prompts,
    pub(super) agents: AgentCatalog,
    pub(super) default_agent: SubAgentDef,
    pub(super) router: Arc<dyn AgentRouter>,
    pub(super) tools: Tools,
    pub(super) limits: LlmContextLimits,
    pub(super) retry: RetryPolicy,
    pub(super) streaming: bool,
}

/// A model: who is asked for it, and how its tokens are counted.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) provider: Arc<dyn LlmProvider>,
    pub(super) counter: Arc<dyn TokenCounter>,
    /// Where all attempts wait when a service wants to be left alone: one for each link of a chain, and
    /// at least one.
    pub(super) gates: Vec<Gate>,
}

impl Model {
    pub(super) fn new(provider: Arc<dyn LlmProvider>) -> Self {
        let links = provider.links().len().max(1);
        Self {
            provider,
            counter: Arc::new(EstimatingCounter::new()),
            gates: std::iter::repeat_with(Gate::new).take(links).collect(),
        }
    }
}

/// What happens when an agent names a model that the host did not list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlisted {
    /// The llm_context is not built.
    #[default]
    Refuse,
    /// The default provider is asked for that model by name. Its price is not known, so a budget of
    /// money refuses the call, unless the provider is free of charge.
    AskDefault,
    /// The default provider's own model does it.
    UseDefault,
}

/// How much one attempt of an agent may use, whoever the agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlmContextLimits {
    /// The most tokens of all calls of an attempt, in and out. Default 200,000.
    ///
    /// Looked at before each call; the last one may go beyond it by its own size. 0 lets no call happen.
    pub attempt_tokens: u64,
    /// The most tokens of one tool's result. Default 4,000.
    ///
    /// What is longer loses its middle, and says so. With 0 the model sees no results.
    pub tool_result_tokens: u64,
    /// The most tool calls of one reply that run at the same time. Default 4, at least 1.
    pub parallel_tools: usize,
    /// How often the same tool may be called with the same arguments in one attempt. Default 3.
    ///
    /// One more and the attempt ends with the code `tool_loop`. With 0 no tool is ever called.
    pub same_calls: u32,
    /// How often in a row calls of tools may fail before the attempt ends with the code
    /// `tool_failed`. Default 5, at least 1.
    pub failed_calls: u32,
    /// The longest time of one tool call. Default 2 min.
    ///
    /// A call that is late is dropped, and the model is told.
    pub tool_timeout: Duration,
    /// How many agents one attempt may try, one after the other, when the plan names none. Default 2.
    ///
    /// The next one is tried when an agent's own means failed: its model, its limits, its answers.
    pub agents_tried: u32,
}

impl Default for LlmContextLimits {
    fn default() -> Self {
        Self {
            attempt_tokens: 200_000,
            tool_result_tokens: 4_000,
            parallel_tools: 4,
            same_calls: 3,
            failed_calls: 5,
            tool_timeout: Duration::from_mins(2),
            agents_tried: 2,
        }
    }
}

impl LlmContext {
    /// A llm_context whose work is done by that provider, unless an agent names another.
    ///
    /// Each link of a [chain](zeph_llm::FallbackChain) is metered and repeated by itself. A provider that
    /// hides several requests in one call, by retries of its own or something else around a chain, is
    /// reserved for as one, and can break a budget: put what is around it around each link.
    pub fn builder(provider: Arc<dyn LlmProvider>) -> LlmContextBuilder {
        LlmContextBuilder::new(provider)
    }

    /// A line to a model for the attempt of that context: metered and repeated.
    ///
    /// `None` is the default provider. Lines of one attempt that share a tally count together.
    ///
    /// # Errors
    /// Permanent, with the code `unknown_model`, if the model is not listed and must be.
    pub fn line(
        &self,
        cx: &TaskContext,
        model: Option<&str>,
        tally: &Arc<Tally>,
    ) -> Result<ModelClient, TaskError> {
        let listed = model.map(|name| self.models.get(name));
        let (listed, asked) = match (listed, self.unlisted) {
            (None, _) | (Some(None), Unlisted::UseDefault) => (&self.default_model, None),
            (Some(Some(listed)), _) => (listed, None),
            (Some(None), Unlisted::AskDefault) => (&self.default_model, model),
            (Some(None), Unlisted::Refuse) => {
                return Err(TaskError::permanent(format!(
                    "the model {:?} is not listed; list it with the llm_context",
                    model.unwrap_or_default()
                ))
                .with_code("unknown_model"));
            }
        };
        let meter = |provider| {
            Metered::new(provider, cx)
                .tally(tally)
                .counter(&listed.counter)
                .streaming(self.streaming)
        };
        Ok(ModelClient::new(meter, listed, self.retry, asked, tally))
    }

    /// What makes text of strangers fit for a prompt.
    #[must_use]
    pub fn sanitizer(&self) -> &dyn ContentSanitizer {
        &*self.sanitizer
    }

    /// What models are told.
    #[must_use]
    pub fn prompts(&self) -> &Prompts {
        &self.prompts
    }

    /// A prompt with its variables filled in.
    ///
    /// # Errors
    /// `bad_prompt` if a template of the host fails with these values.
    pub(crate) fn prompt(&self, name: PromptName, values: &Value) -> Result<String, TaskError> {
        self.prompts.render(name, values).map_err(|error| {
            TaskError::permanent(format!("{error}; mend the host's prompt {name}"))
                .with_code("bad_prompt")
                .with_source(error)
        })
    }

    /// The agents.
    #[must_use]
    pub fn agents(&self) -> &AgentCatalog {
        &self.agents
    }

    /// Who does a task when there are no agents at all.
    #[must_use]
    pub fn default_agent(&self) -> &SubAgentDef {
        &self.default_agent
    }

    /// Who decides which agent does a task.
    #[must_use]
    pub fn router(&self) -> &dyn AgentRouter {
        &*self.router
    }

    /// The tools of the host.
    #[must_use]
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// How much an attempt may use.
    #[must_use]
    pub fn limits(&self) -> LlmContextLimits {
        self.limits
    }

    /// How often and how patiently a model is asked again.
    #[must_use]
    pub fn retry(&self) -> RetryPolicy {
        self.retry
    }

    /// Where all who ask the default model wait when its service wants to be left alone; of a chain, the
    /// first link's.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.default_model.gates[0]
    }
}

impl fmt::Debug for LlmContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmContext")
            .field("provider", &self.default_model.provider.name())
            .field("models", &self.models.keys())
            .field("agents", &self.agents.names().collect::<Vec<_>>())
            .field("tools", &self.tools)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
