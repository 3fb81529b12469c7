//! The crew: everything that the roles of a model share, in one value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use zeph_llm::{EstimatingCounter, Gate, LlmProvider, RetryPolicy, TokenCounter};
use zeph_sanitizer::{ContentSanitizer, Seed, StandardSanitizer};
use zeph_subagent::router::ScoringRouter;
use zeph_subagent::{AgentCatalog, AgentDefects, AgentRouter, SubAgentDef, TaskContext, TaskError};

use super::line::Line;
use super::metered::{Metered, Tally};
use crate::{PromptName, Prompts, Tools};

/// Whom planner, agents and aggregator work with: models, agents, tools, prompts, sanitizer, limits.
///
/// Made by a [builder](Crew::builder) from a provider; everything else has a safe default and is
/// replaced by one line. One crew serves any number of runs.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use zeph_llm::{Capabilities, LlmError, LlmProvider, LlmRequest, LlmResponse, async_trait};
/// use zeph_planner::Crew;
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
/// let crew = Crew::builder(Arc::new(Parrot)).agents(agents).build()?;
/// assert_eq!(crew.agents().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Crew {
    default_model: Model,
    models: BTreeMap<String, Model>,
    unlisted: Unlisted,
    sanitizer: Arc<dyn ContentSanitizer>,
    prompts: Prompts,
    agents: AgentCatalog,
    default_agent: SubAgentDef,
    router: Arc<dyn AgentRouter>,
    tools: Tools,
    limits: CrewLimits,
    retry: RetryPolicy,
    streaming: bool,
}

/// A model: who is asked for it, and how its tokens are counted.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) provider: Arc<dyn LlmProvider>,
    pub(super) counter: Arc<dyn TokenCounter>,
    /// Where all attempts wait when the service wants to be left alone.
    pub(super) gate: Gate,
}

impl Model {
    fn new(provider: Arc<dyn LlmProvider>) -> Self {
        Self {
            provider,
            counter: Arc::new(EstimatingCounter::new()),
            gate: Gate::new(),
        }
    }
}

/// What happens when an agent names a model that the host did not list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlisted {
    /// The crew is not built.
    #[default]
    Refuse,
    /// The default provider is asked for that model by name.
    AskDefault,
    /// The default provider's own model does it.
    UseDefault,
}

/// How much one attempt of an agent may use, whoever the agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrewLimits {
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
    /// How many agents one attempt may try, one after the other, when the plan names none. Default 2.
    ///
    /// The next one is tried when an agent's own means failed: its model, its limits, its answers.
    pub agents_tried: u32,
}

impl Default for CrewLimits {
    fn default() -> Self {
        Self {
            attempt_tokens: 200_000,
            tool_result_tokens: 4_000,
            parallel_tools: 4,
            same_calls: 3,
            failed_calls: 5,
            agents_tried: 2,
        }
    }
}

/// Why a crew cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrewError {
    /// An agent may use a tool that the host does not have.
    #[error("{0}")]
    Tools(AgentDefects),
    /// An agent names a model that the host did not list.
    #[error(
        "agent {agent:?} asks for the model {model:?}, which is not listed; list it, or say what to do with unlisted models"
    )]
    UnknownModel {
        /// The agent.
        agent: String,
        /// The model.
        model: String,
    },
    /// The default agent's definition has defects.
    #[error("the default agent: {0}")]
    DefaultAgent(AgentDefects),
    /// The system gave no randomness for the sanitizer's delimiters.
    #[error("the system has no randomness to give; pass a sanitizer with a seed of your own")]
    NoRandomness,
}

/// All that keeps a crew from being built, at least one.
#[derive(Debug)]
pub struct CrewErrors(Vec<CrewError>);

impl CrewErrors {
    /// The errors.
    #[must_use]
    pub fn as_slice(&self) -> &[CrewError] {
        &self.0
    }
}

impl fmt::Display for CrewErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{one}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CrewErrors {}

impl Crew {
    /// A crew whose work is done by that provider, unless an agent names another.
    pub fn builder(provider: Arc<dyn LlmProvider>) -> CrewBuilder {
        let default_agent = SubAgentDef::new(
            "assistant",
            "Does any task that needs no tools",
            "You are a careful assistant. You say what you do not know.",
        );
        CrewBuilder {
            crew: Crew {
                default_model: Model::new(provider),
                models: BTreeMap::new(),
                unlisted: Unlisted::default(),
                sanitizer: Arc::new(StandardSanitizer::new(Seed::new([0; 32]))),
                prompts: Prompts::built_in(),
                agents: AgentCatalog::new(),
                default_agent,
                router: Arc::new(ScoringRouter::standard()),
                tools: Tools::new(),
                limits: CrewLimits::default(),
                retry: RetryPolicy::default(),
                streaming: false,
            },
            seeded: false,
        }
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
    ) -> Result<Line, TaskError> {
        let listed = model.map(|name| self.models.get(name));
        let (listed, asked) = match (listed, self.unlisted) {
            (None, _) | (Some(None), Unlisted::UseDefault) => (&self.default_model, None),
            (Some(Some(listed)), _) => (listed, None),
            (Some(None), Unlisted::AskDefault) => (&self.default_model, model),
            (Some(None), Unlisted::Refuse) => {
                return Err(TaskError::permanent(format!(
                    "the model {:?} is not listed; list it with the crew",
                    model.unwrap_or_default()
                ))
                .with_code("unknown_model"));
            }
        };
        let metered = Metered::new(Arc::clone(&listed.provider), cx)
            .tally(tally)
            .counter(&listed.counter)
            .streaming(self.streaming);
        Ok(Line::new(metered, listed, self.retry, asked, tally))
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
    pub fn limits(&self) -> CrewLimits {
        self.limits
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("provider", &self.default_model.provider.name())
            .field("models", &self.models.keys())
            .field("agents", &self.agents.names().collect::<Vec<_>>())
            .field("tools", &self.tools)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Collects what a [`Crew`] needs.
#[must_use]
#[derive(Debug)]
pub struct CrewBuilder {
    crew: Crew,
    seeded: bool,
}

impl CrewBuilder {
    /// The provider of a model that agents name. Default: none but the default provider.
    pub fn model(mut self, name: impl Into<String>, provider: Arc<dyn LlmProvider>) -> Self {
        self.crew.models.insert(name.into(), Model::new(provider));
        self
    }

    /// Counts the tokens of a model that was listed before, or of the default model if that name is
    /// not listed. Default: an estimate for each model that learns from what its service reports.
    pub fn counter(mut self, model: &str, counter: Arc<dyn TokenCounter>) -> Self {
        let listed = self.crew.models.get_mut(model);
        listed.unwrap_or(&mut self.crew.default_model).counter = counter;
        self
    }

    /// What to do with models that agents name and nobody listed. Default: refuse.
    pub fn unlisted_models(mut self, unlisted: Unlisted) -> Self {
        self.crew.unlisted = unlisted;
        self
    }

    /// What makes text of strangers fit for a prompt. Default: a [`StandardSanitizer`] with a random
    /// seed and no secrets.
    ///
    /// A host that wants a replay to see the same prompts passes one with a seed that it keeps.
    pub fn sanitizer(mut self, sanitizer: Arc<dyn ContentSanitizer>) -> Self {
        self.crew.sanitizer = sanitizer;
        self.seeded = true;
        self
    }

    /// What models are told. Default: the built-in prompts.
    pub fn prompts(mut self, prompts: Prompts) -> Self {
        self.crew.prompts = prompts;
        self
    }

    /// The agents. Default: none, so that every task is done by the default agent.
    pub fn agents(mut self, agents: AgentCatalog) -> Self {
        self.crew.agents = agents;
        self
    }

    /// Who does a task when there are no agents. Default: a plain assistant without tools.
    pub fn default_agent(mut self, agent: SubAgentDef) -> Self {
        self.crew.default_agent = agent;
        self
    }

    /// Who decides which agent does a task. Default: [`ScoringRouter::standard`].
    pub fn router(mut self, router: Arc<dyn AgentRouter>) -> Self {
        self.crew.router = router;
        self
    }

    /// The tools of the host. Default: none.
    pub fn tools(mut self, tools: Tools) -> Self {
        self.crew.tools = tools;
        self
    }

    /// How much an attempt may use. Default: see [`CrewLimits`].
    pub fn limits(mut self, limits: CrewLimits) -> Self {
        self.crew.limits = limits;
        self
    }

    /// How often and how patiently a model is asked again. Default: see [`RetryPolicy`].
    ///
    /// This is the one layer that repeats calls: pass providers that do not. A refusal for now of one
    /// attempt's call makes all attempts that ask the same model wait.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.crew.retry = policy;
        self
    }

    /// Takes answers in pieces, where providers can, so that observers see them grow. Default: no.
    pub fn streaming(mut self) -> Self {
        self.crew.streaming = true;
        self
    }

    /// The crew.
    ///
    /// # Errors
    /// All that does not fit together: agents with tools or models that the host does not have.
    pub fn build(mut self) -> Result<Crew, CrewErrors> {
        let mut errors = Vec::new();
        let crew = &mut self.crew;
        if !self.seeded {
            let mut seed = [0; 32];
            match getrandom::fill(&mut seed) {
                Ok(()) => crew.sanitizer = Arc::new(StandardSanitizer::new(Seed::new(seed))),
                Err(_) => errors.push(CrewError::NoRandomness),
            }
        }
        if let Err(defects) = crew.default_agent.check() {
            errors.push(CrewError::DefaultAgent(defects));
        }
        for agent in crew.agents.iter().chain([&crew.default_agent]) {
            if let Err(defects) = agent.check_tools(crew.tools.names()) {
                errors.push(CrewError::Tools(defects));
            }
            let unlisted = agent
                .model
                .as_ref()
                .filter(|model| !crew.models.contains_key(*model));
            if let (Some(model), Unlisted::Refuse) = (unlisted, crew.unlisted) {
                errors.push(CrewError::UnknownModel {
                    agent: agent.name.clone(),
                    model: model.clone(),
                });
            }
        }
        if errors.is_empty() {
            Ok(self.crew)
        } else {
            Err(CrewErrors(errors))
        }
    }
}
