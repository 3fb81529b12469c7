//! The LLM context: everything that planner, agents and aggregator share, in one value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use zeph_executor::{TaskContext, TaskError};
use zeph_llm::{Capabilities, Gate, LlmProvider, RetryPolicy};
use zeph_sanitizer::ContentSanitizer;
use zeph_subagent::{AgentCatalog, AgentRouter, SubAgentDef};

use super::builder::LlmContextBuilder;
use super::fallback::WithFallback;
use super::{AttemptSpend, Metered, ModelClient, Resuming};
use crate::agent::Tools;
use crate::prompts::{PromptName, Prompts};

/// The parts that planner, agents and aggregator share: models, agents, tools, prompts, sanitizer, limits.
///
/// A [builder](LlmContext::builder) makes it from a provider; everything else has a safe default. One
/// context serves any number of runs.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use zeph_llm::{Capabilities, LlmError, LlmProvider, LlmRequest, LlmResponse, async_trait};
/// use zeph_planner::LlmContext;
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
///
/// struct Echo;
///
/// #[async_trait]
/// impl LlmProvider for Echo {
///     fn name(&self) -> &str { "echo" }
///     fn capabilities(&self) -> Capabilities { Capabilities::TEXT }
///     async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
///         Ok(LlmResponse::text(request.messages.last().map_or("", |last| last.text())))
///     }
/// }
///
/// let mut agents = AgentCatalog::new();
/// agents.add(SubAgentDef::new("analyst", "Groups and counts", "You group things."))?;
/// let context = LlmContext::builder(Arc::new(Echo)).agents(agents).build()?;
/// assert_eq!(context.agents().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LlmContext {
    pub(crate) default_model: Model,
    pub(crate) models: BTreeMap<String, Model>,
    pub(crate) fallback_model: Option<Model>,
    pub(super) sanitizer: Arc<dyn ContentSanitizer>,
    pub(super) prompts: Prompts,
    pub(super) agents: AgentCatalog,
    pub(crate) default_agent: SubAgentDef,
    pub(crate) router: Arc<dyn AgentRouter>,
    pub(crate) tools: Tools,
    pub(crate) limits: LlmContextLimits,
    pub(crate) retry: RetryPolicy,
    pub(super) streaming: bool,
}

/// A model: its provider and its gate.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) provider: Arc<dyn LlmProvider>,
    /// The gate at which all attempts wait after the service asked for a pause.
    pub(super) gate: Gate,
}

impl Model {
    pub(super) fn new(provider: Arc<dyn LlmProvider>) -> Self {
        Self {
            provider,
            gate: Gate::new(),
        }
    }
}

/// The limits of one attempt of any agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlmContextLimits {
    /// The most tokens of all calls of an attempt, in and out. Default 200,000.
    ///
    /// Checked before each call, so the last call may exceed it by its own size. 0 allows no call.
    pub attempt_tokens: u64,
    /// The most tokens of one tool's result. Default 4,000.
    ///
    /// The middle of a longer result is replaced by a mark. With 0 the model sees no results.
    pub tool_result_tokens: u64,
    /// The most tool calls of one reply that run in parallel. Default 4, at least 1.
    pub parallel_tools: usize,
    /// How often a tool may be called with the same arguments in one attempt. Default 3.
    ///
    /// One more call ends the attempt with the code `tool_loop`. With 0 no tool is called.
    pub same_calls: u32,
    /// How many tool calls may fail in a row before the attempt ends with the code `tool_failed`.
    /// Default 5, at least 1.
    pub failed_calls: u32,
    /// The longest time of one tool call. Default 2 min.
    ///
    /// A call that takes longer is dropped, and the model sees an error.
    pub tool_timeout: Duration,
    /// How many agents an attempt may try in turn, if the task names none. Default 2.
    ///
    /// The next agent is tried after a failure of the agent's model, limits or answers.
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
    /// A context with that provider as the default model.
    ///
    /// Only one request's cost is reserved per call. A provider that makes several requests in one
    /// call, for example by retrying internally, can therefore exceed the budget.
    pub fn builder(provider: Arc<dyn LlmProvider>) -> LlmContextBuilder {
        LlmContextBuilder::new(provider)
    }

    /// A client of a model for an attempt. `None` is the default model. Clients of one attempt share
    /// its `spend`.
    ///
    /// # Errors
    /// Permanent, with the code `unknown_model`, if the model is not listed.
    pub(crate) fn client(
        &self,
        cx: &TaskContext,
        model: Option<&str>,
        spend: &Arc<AttemptSpend>,
    ) -> Result<ModelClient, TaskError> {
        let Some(listed) = self.model(model) else {
            let name = model.unwrap_or_default();
            let message = format!(
                "unknown model {name:?}; add it with LlmContextBuilder::model, or name another one"
            );
            return Err(TaskError::permanent(message).with_code("unknown_model"));
        };
        let mut provider = self.metered(listed, cx, spend);
        // The work of one that must not be repeated may be half done.
        if let Some(fallback) = &self.fallback_model
            && listed.provider.is_repeatable()
            && fallback.provider.name() != listed.provider.name()
        {
            let second = self.metered(fallback, cx, spend);
            provider = Arc::new(WithFallback::new(provider, second, cx));
        }
        Ok(ModelClient::new(provider, spend))
    }

    /// A listed model; `None` is the default model.
    fn model(&self, name: Option<&str>) -> Option<&Model> {
        match name {
            None => Some(&self.default_model),
            Some(name) => self.models.get(name),
        }
    }

    /// What a listed model can do, and its limits and prices.
    pub(crate) fn capabilities(&self, model: Option<&str>) -> Option<Capabilities> {
        Some(self.model(model)?.provider.capabilities())
    }

    /// Whether the work of a model may be begun again, by it or by another one.
    pub(crate) fn is_repeatable(&self, model: Option<&str>) -> bool {
        let model = self.model(model);
        model.is_none_or(|model| model.provider.is_repeatable())
    }

    /// The provider of a model for an attempt: resuming, retried and metered.
    fn metered(
        &self,
        model: &Model,
        cx: &TaskContext,
        spend: &Arc<AttemptSpend>,
    ) -> Arc<dyn LlmProvider> {
        let metered = Metered::new(Arc::clone(&model.provider), cx, spend, self.streaming);
        Resuming::around(metered.retrying(self.retry, &model.gate), cx, spend)
    }

    /// The sanitizer, which makes untrusted text fit for a prompt.
    #[must_use]
    pub fn sanitizer(&self) -> &dyn ContentSanitizer {
        &*self.sanitizer
    }

    /// A prompt with its variables filled in.
    ///
    /// # Errors
    /// `bad_prompt` if a template of the host fails with these values.
    pub(crate) fn prompt(&self, name: PromptName, values: &Value) -> Result<String, TaskError> {
        self.prompts.render(name, values).map_err(|error| {
            TaskError::permanent(format!("{error}; correct the host's prompt {name}"))
                .with_code("bad_prompt")
                .with_source(error)
        })
    }

    /// The agents.
    #[must_use]
    pub fn agents(&self) -> &AgentCatalog {
        &self.agents
    }

    /// The retry policy of calls.
    #[must_use]
    pub fn retry(&self) -> RetryPolicy {
        self.retry
    }

    /// The gate of the default model, where all attempts wait after its service asked for a pause.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.default_model.gate
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
