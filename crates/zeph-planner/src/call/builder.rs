//! The builder of an LLM context.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeph_diagnostics::{Diagnostic, Diagnostics, quote};
use zeph_llm::{LlmProvider, RetryPolicy, SchemaSupport};
use zeph_sanitizer::{ContentSanitizer, Seed, StandardSanitizer};
use zeph_subagent::router::ScoringRouter;
use zeph_subagent::{AgentCatalog, AgentOutput, AgentRouter, SubAgentDef};

use super::context::{LlmContext, LlmContextLimits, Model};
use crate::agent::Tools;
use crate::prompts::Prompts;

/// The codes of problems of an LLM context.
pub mod code {
    zeph_diagnostics::codes! {
        /// An agent names a tool that the host does not have.
        UNKNOWN_TOOL = "unknown_tool",
        /// An agent names a model that the host does not list.
        UNKNOWN_MODEL = "unknown_model",
        /// An agent needs what its model cannot do: calls of tools, or answers of a schema.
        UNSUPPORTED = "unsupported",
        /// The system gave no randomness for the sanitizer's delimiters.
        NO_RANDOMNESS = "no_randomness",
    }
}

/// Collects the parts of an [`LlmContext`]. The order of calls does not matter.
#[must_use]
pub struct LlmContextBuilder {
    pub(crate) context: LlmContext,
    has_sanitizer: bool,
}

impl fmt::Debug for LlmContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmContextBuilder")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl LlmContextBuilder {
    pub(super) fn new(provider: Arc<dyn LlmProvider>) -> Self {
        let default_agent = SubAgentDef::new(
            "assistant",
            "Does any task that needs no tools",
            "You are a careful assistant. You say what you do not know.",
        );
        Self {
            context: LlmContext {
                default_model: Model::new(provider),
                models: BTreeMap::new(),
                fallback_model: None,
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
            has_sanitizer: false,
        }
    }

    /// Adds the provider of a model that agents name. Default: only the default provider.
    pub fn model(mut self, name: impl Into<String>, provider: Arc<dyn LlmProvider>) -> Self {
        self.context
            .models
            .insert(name.into(), Model::new(provider));
        self
    }

    /// Sets the model that is asked where another one gives no answer, after all of its calls. Default: none.
    ///
    /// It gets the same request, so it should have a window as large, and the tools that the agents need. It does
    /// not stand in for a provider that is not [repeatable](LlmProvider::is_repeatable).
    pub fn fallback_model(mut self, provider: Arc<dyn LlmProvider>) -> Self {
        self.context.fallback_model = Some(Model::new(provider));
        self
    }

    /// Sets the sanitizer of untrusted text. Default: a [`StandardSanitizer`] with a random seed and no
    /// secrets. A host that replays runs passes one with a seed that it stores.
    pub fn sanitizer(mut self, sanitizer: Arc<dyn ContentSanitizer>) -> Self {
        self.context.sanitizer = sanitizer;
        self.has_sanitizer = true;
        self
    }

    /// Sets the prompts. Default: the built-in prompts.
    pub fn prompts(mut self, prompts: Prompts) -> Self {
        self.context.prompts = prompts;
        self
    }

    /// Sets the agents. Default: none, so that an assistant without tools does every task.
    pub fn agents(mut self, agents: AgentCatalog) -> Self {
        self.context.agents = agents;
        self
    }

    /// Sets the router, which chooses an agent for a task. Default: [`ScoringRouter::standard`].
    pub fn router(mut self, router: Arc<dyn AgentRouter>) -> Self {
        self.context.router = router;
        self
    }

    /// Sets the tools of the host. Default: none.
    pub fn tools(mut self, tools: Tools) -> Self {
        self.context.tools = tools;
        self
    }

    /// Sets the limits of an attempt. Default: see [`LlmContextLimits`].
    pub fn limits(mut self, limits: LlmContextLimits) -> Self {
        self.context.limits = limits;
        self
    }

    /// Sets the retry policy of calls. Default: see [`RetryPolicy`].
    ///
    /// This is the only retry layer: pass providers that do not retry. After the service refused a call
    /// for now, all attempts that call the same model wait.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.context.retry = policy;
        self
    }

    /// Streams answers where the provider can, so that observers see them grow. Default: no.
    pub fn streaming(mut self) -> Self {
        self.context.streaming = true;
        self
    }

    /// Builds the context.
    ///
    /// # Errors
    /// All parts that do not fit together: agents with unknown tools or models, and agents that need what their
    /// model cannot do.
    pub fn build(mut self) -> Result<LlmContext, Diagnostics> {
        let mut problems = Diagnostics::new();
        let context = &mut self.context;
        if !self.has_sanitizer {
            let mut seed = [0; 32];
            match getrandom::fill(&mut seed) {
                Ok(()) => context.sanitizer = Arc::new(StandardSanitizer::new(Seed::new(seed))),
                Err(_) => problems.push(
                    Diagnostic::new(code::NO_RANDOMNESS, "the system has no random numbers")
                        .help("pass a sanitizer with a seed of your own"),
                ),
            }
        }
        for agent in context.agents.iter() {
            if let Err(defects) = agent.check_tools(context.tools.names()) {
                let problem = Diagnostic::new(code::UNKNOWN_TOOL, defects.to_string());
                problems.push(problem.subject(&agent.name));
            }
            if let Some(problem) = unsupported(context, agent) {
                problems.push(problem);
            }
            let unlisted = agent.model.as_ref();
            let unlisted = unlisted.filter(|model| !context.models.contains_key(*model));
            if let Some(model) = unlisted {
                let (agent, known) = (&agent.name, context.models.keys());
                let near = problems.suggest(model, known.map(String::as_str));
                let message = format!(
                    "agent {} names the unknown model {}",
                    quote(agent),
                    quote(model)
                );
                problems.push(
                    Diagnostic::new(code::UNKNOWN_MODEL, message)
                        .subject(agent)
                        .help("add the model with LlmContextBuilder::model, or name a listed one")
                        .suggest(near),
                );
            }
        }
        problems.into_result()?;
        Ok(self.context)
    }
}

/// What the agent needs and its model cannot do.
fn unsupported(context: &LlmContext, agent: &SubAgentDef) -> Option<Diagnostic> {
    let model = match &agent.model {
        None => &context.default_model,
        Some(name) => context.models.get(name)?,
    };
    let subject = format!("agent {}", quote(&agent.name));
    let has_tools = !agent.tools.is_empty();
    let problem = unsupported_by(&*model.provider, &subject, has_tools, &agent.output)?;
    Some(problem.subject(&agent.name))
}

/// The problem of an agent or a task that has tools or an output which that model cannot do; `None` if there is none.
/// `subject` begins the message.
#[must_use]
pub fn unsupported_by(
    model: &dyn LlmProvider,
    subject: &str,
    has_tools: bool,
    output: &AgentOutput,
) -> Option<Diagnostic> {
    let can = model.capabilities();
    let needs_schema = matches!(output, AgentOutput::Schema(_));
    let (what, remedy) = if has_tools && !can.tools {
        ("has tools", "calls of tools")
    } else if needs_schema && can.schema == SchemaSupport::Never {
        ("answers with a schema", "answers of a schema")
    } else {
        return None;
    };
    let provider = quote(model.name());
    let message = format!("{subject} {what}, and the model {provider} has no {remedy}");
    let help = "name another model, or declare what it can do with `with_capabilities`";
    Some(Diagnostic::new(code::UNSUPPORTED, message).help(help))
}
