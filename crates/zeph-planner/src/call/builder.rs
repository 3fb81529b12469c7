//! Building a llm_context: one line for each part that is not the default one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeph_llm::{LlmProvider, RetryPolicy, TokenCounter};
use zeph_sanitizer::{ContentSanitizer, Seed, StandardSanitizer};
use zeph_subagent::router::ScoringRouter;
use zeph_subagent::{AgentCatalog, AgentRouter, Diagnostics, SubAgentDef};

use super::llm_context::{LlmContext, LlmContextLimits, Model, Unlisted};
use crate::{Prompts, Tools};

/// Collects what a [`LlmContext`] needs.
#[must_use]
#[derive(Debug)]
pub struct LlmContextBuilder {
    llm_context: LlmContext,
    seeded: bool,
}

impl LlmContextBuilder {
    pub(super) fn new(provider: Arc<dyn LlmProvider>) -> Self {
        let default_agent = SubAgentDef::new(
            "assistant",
            "Does any task that needs no tools",
            "You are a careful assistant. You say what you do not know.",
        );
        Self {
            llm_context: LlmContext {
                default_model: Model::new(provider),
                models: BTreeMap::new(),
                unlisted: Unlisted::default(),
                sanitizer: Arc::new(StandardSanitizer::new(Seed::new([0; 32]))),
                prompts: Prompts::built_in(),
                agents: AgentCatalog::new(),
                default_agent,
                router: Arc::new(ScoringRouter::standard()),
                tools: Tools::new(),
                limits: LlmContextLimits::default(),
                retry: RetryPolicy::default(),
                streaming: false,
            },
            seeded: false,
        }
    }

    /// The provider of a model that agents name. Default: none but the default provider.
    pub fn model(mut self, name: impl Into<String>, provider: Arc<dyn LlmProvider>) -> Self {
        self.llm_context
            .models
            .insert(name.into(), Model::new(provider));
        self
    }

    /// Counts the tokens of a model that was listed before, or of the default model if that name is
    /// not listed. Default: an estimate for each model that learns from what its service reports.
    pub fn counter(mut self, model: &str, counter: Arc<dyn TokenCounter>) -> Self {
        let listed = self.llm_context.models.get_mut(model);
        listed
            .unwrap_or(&mut self.llm_context.default_model)
            .counter = counter;
        self
    }

    /// What to do with models that agents name and nobody listed. Default: refuse.
    pub fn unlisted_models(mut self, unlisted: Unlisted) -> Self {
        self.llm_context.unlisted = unlisted;
        self
    }

    /// What makes text of strangers fit for a prompt. Default: a [`StandardSanitizer`] with a random
    /// seed and no secrets.
    ///
    /// A host that wants a replay to see the same prompts passes one with a seed that it keeps.
    pub fn sanitizer(mut self, sanitizer: Arc<dyn ContentSanitizer>) -> Self {
        self.llm_context.sanitizer = sanitizer;
        self.seeded = true;
        self
    }

    /// What models are told. Default: the built-in prompts.
    pub fn prompts(mut self, prompts: Prompts) -> Self {
        self.llm_context.prompts = prompts;
        self
    }

    /// The agents. Default: none, so that every task is done by the default agent.
    pub fn agents(mut self, agents: AgentCatalog) -> Self {
        self.llm_context.agents = agents;
        self
    }

    /// Who does a task when there are no agents. Default: a plain assistant without tools.
    pub fn default_agent(mut self, agent: SubAgentDef) -> Self {
        self.llm_context.default_agent = agent;
        self
    }

    /// Who decides which agent does a task. Default: [`ScoringRouter::standard`].
    pub fn router(mut self, router: Arc<dyn AgentRouter>) -> Self {
        self.llm_context.router = router;
        self
    }

    /// The tools of the host. Default: none.
    pub fn tools(mut self, tools: Tools) -> Self {
        self.llm_context.tools = tools;
        self
    }

    /// How much an attempt may use. Default: see [`LlmContextLimits`].
    pub fn limits(mut self, limits: LlmContextLimits) -> Self {
        self.llm_context.limits = limits;
        self
    }

    /// How often and how patiently a model is asked again. Default: see [`RetryPolicy`].
    ///
    /// This is the one layer that repeats calls: pass providers that do not. A refusal for now of one
    /// attempt's call makes all attempts that ask the same model wait.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.llm_context.retry = policy;
        self
    }

    /// Takes answers in pieces, where providers can, so that observers see them grow. Default: no.
    pub fn streaming(mut self) -> Self {
        self.llm_context.streaming = true;
        self
    }

    /// Puts others in place of every provider and tool that is there so far; nothing waits between
    /// calls.
    pub(crate) fn stand_ins(
        mut self,
        provider: impl Fn(&dyn LlmProvider) -> Arc<dyn LlmProvider>,
        tools: impl FnOnce(&Tools) -> Tools,
    ) -> Self {
        let llm_context = &mut self.llm_context;
        for model in llm_context
            .models
            .values_mut()
            .chain([&mut llm_context.default_model])
        {
            model.provider = provider(&*model.provider);
        }
        llm_context.tools = tools(&llm_context.tools);
        llm_context.retry = RetryPolicy {
            base: Duration::ZERO,
            cap: Duration::ZERO,
            ..llm_context.retry
        };
        self
    }

    /// The llm_context.
    ///
    /// # Errors
    /// All that does not fit together: agents with tools or models that the host does not have.
    pub fn build(mut self) -> Result<LlmContext, LlmContextErrors> {
        let mut errors = Vec::new();
        let llm_context = &mut self.llm_context;
        if !self.seeded {
            let mut seed = [0; 32];
            match getrandom::fill(&mut seed) {
                Ok(()) => llm_context.sanitizer = Arc::new(StandardSanitizer::new(Seed::new(seed))),
                Err(_) => errors.push(LlmContextError::NoRandomness),
            }
        }
        if let Err(defects) = llm_context.default_agent.check() {
            errors.push(LlmContextError::DefaultAgent(defects));
        }
        for agent in llm_context
            .agents
            .iter()
            .chain([&llm_context.default_agent])
        {
            if let Err(defects) = agent.check_tools(llm_context.tools.names()) {
                errors.push(LlmContextError::Tools(defects));
            }
            let unlisted = agent
                .model
                .as_ref()
                .filter(|model| !llm_context.models.contains_key(*model));
            if let (Some(model), Unlisted::Refuse) = (unlisted, llm_context.unlisted) {
                errors.push(LlmContextError::UnknownModel {
                    agent: agent.name.clone(),
                    model: model.clone(),
                });
            }
        }
        if errors.is_empty() {
            Ok(self.llm_context)
        } else {
            Err(LlmContextErrors(errors))
        }
    }
}

/// Why a llm_context cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LlmContextError {
    /// An agent may use a tool that the host does not have.
    #[error("{0}")]
    Tools(Diagnostics),
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
    DefaultAgent(Diagnostics),
    /// The system gave no randomness for the sanitizer's delimiters.
    #[error("the system has no randomness to give; pass a sanitizer with a seed of your own")]
    NoRandomness,
}

/// All that keeps a llm_context from being built, at least one.
#[derive(Debug)]
pub struct LlmContextErrors(Vec<LlmContextError>);

impl LlmContextErrors {
    /// The errors.
    #[must_use]
    pub fn as_slice(&self) -> &[LlmContextError] {
        &self.0
    }
}

impl fmt::Display for LlmContextErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{one}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LlmContextErrors {}
