//! The choice of the agent for a task, and its note.

use serde::{Deserialize, Serialize};
use zeph_executor::{Note, NoteKind, Purpose, TaskContext, TaskError, TaskInput};
use zeph_llm::{EstimatingCounter, TokenCounter as _};
use zeph_subagent::router::{Decision, Estimate};
use zeph_subagent::{Route, RouteRequest, SubAgentDef};

use super::errors;
use super::params::AgentParams;
use super::prompt::{ParentShown, parent_text, parents};
use crate::LlmContext;
use crate::prompt_budget::MESSAGE_TOKENS;

/// The agent of a task, why it was chosen, and what it sees of the task's parents; a note of kind
/// `route`. There is one for each agent that an attempt tries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteNote {
    /// The agent; `None` if no agent fits.
    pub agent: Option<String>,
    /// The provider of its model.
    pub provider: Option<String>,
    /// The router's decision with its reasons; `None` if there are no agents to choose from.
    pub route: Option<Route>,
    /// The task's parents as the prompt shows them.
    pub parents: Vec<ParentShown>,
    /// What the task is for, as the prompt tells it.
    #[serde(default, skip_serializing_if = "Purpose::is_empty")]
    pub purpose: Purpose,
}

/// The chosen agent.
pub(super) struct Chosen<'a> {
    pub(super) agent: &'a SubAgentDef,
    pub(super) route: Option<Route>,
    /// Whether another agent may do the task.
    pub(super) replaceable: bool,
}

/// An agent that failed at the task.
pub(super) struct Tried {
    pub(super) agent: String,
    pub(super) error: TaskError,
}

/// Chooses among the agents that have not been tried.
pub(super) async fn choose<'a>(
    context: &'a LlmContext,
    cx: &TaskContext,
    params: &AgentParams,
    input: &TaskInput,
    tried: &[Tried],
) -> Result<Chosen<'a>, TaskError> {
    let agents = context.agents();
    let wanted = params.agent.as_deref();
    if let Some(name) = wanted.filter(|name| agents.get(name).is_none()) {
        return Err(errors::unknown_agent(name, agents));
    }
    if agents.is_empty() {
        return Ok(Chosen {
            agent: &context.default_agent,
            route: None,
            replaceable: false,
        });
    }
    let tools = params.tools.iter().flatten().map(String::as_str);
    let tools: Vec<&str> = tools.collect();
    if let Some(name) = tools.iter().find(|name| context.tools.get(name).is_none()) {
        return Err(errors::unknown_tool(name));
    }
    let why: Vec<String> = tried.iter().map(|one| one.error.to_string()).collect();
    let request = RouteRequest {
        wanted,
        tools,
        tags: params.tags.iter().map(String::as_str).collect(),
        estimates: estimates(context, params, input),
        ..RouteRequest::new(cx.name(), &params.prompt)
    };
    let excluded = tried.iter().zip(&why);
    let request = excluded.fold(request, |request, (one, why)| {
        request.exclude(&one.agent, why)
    });
    let route = context.router.route(&request, agents).await;
    let agent = route.chosen().and_then(|name| agents.get(name));
    if let Some(agent) = agent {
        return Ok(Chosen {
            agent,
            route: Some(route),
            replaceable: wanted.is_none(),
        });
    }
    let error = refusal(context, params, &route);
    let note = RouteNote {
        route: Some(route),
        ..RouteNote::default()
    };
    note.write(cx).await?;
    Err(error)
}

/// What the task would take of the model of each agent.
fn estimates<'a>(
    context: &'a LlmContext,
    params: &AgentParams,
    input: &TaskInput,
) -> Vec<Estimate<'a>> {
    let count = |text: &str| u64::from(EstimatingCounter.count(text));
    // The attempt reports a parent that is not there.
    let parents = parents(params, input).unwrap_or_default();
    let texts = parents.iter().filter_map(|(_, parent)| parent_text(parent));
    let task = count(&params.prompt) + texts.map(|text| count(&text)).sum::<u64>();
    let estimate = |agent: &'a SubAgentDef| {
        let can = context.capabilities(params.model_of(agent))?;
        let limits = agent.limits;
        let request = task + count(&agent.prompt) + 2 * MESSAGE_TOKENS;
        let request = request.min(limits.max_input_tokens.into());
        let answer = params.max_output_tokens.unwrap_or(u32::MAX);
        let answer = answer.min(limits.max_output_tokens);
        let answer = answer.min(can.max_output_tokens.unwrap_or(u32::MAX));
        let cost = can.prices.map(|prices| {
            let request = u32::try_from(request).unwrap_or(u32::MAX);
            prices.cost(request, answer)
        });
        Some(Estimate {
            agent: &agent.name,
            tokens: request + u64::from(answer),
            context_tokens: can.context_tokens,
            micro_usd: cost,
        })
    };
    context.agents().iter().filter_map(estimate).collect()
}

/// The error if no agent was chosen.
fn refusal(context: &LlmContext, params: &AgentParams, route: &Route) -> TaskError {
    // A tool that the named agent may not use is the more precise reason.
    let wanted = params
        .agent
        .as_deref()
        .and_then(|name| context.agents().get(name));
    if let Some(agent) = wanted {
        let mut tools = params.tools.iter().flatten();
        if let Some(tool) = tools.find(|tool| !agent.tools.contains(*tool)) {
            return errors::tool_not_allowed(tool, &agent.name);
        }
    }
    match &route.decision {
        Decision::Ask => {
            let fitting = route.candidates.iter();
            let fitting = fitting.filter(|one| one.exclusion.is_none());
            let names: Vec<&str> = fitting.map(|one| one.name.as_str()).collect();
            errors::choose_agent(&route.reason, &names)
        }
        Decision::NoAgent => errors::no_agent(&route.reason),
        // A host's own router may name an unknown agent, against its contract.
        Decision::Agent { name } => errors::unknown_agent(name, context.agents()),
    }
}

impl RouteNote {
    pub(super) async fn write(&self, cx: &TaskContext) -> Result<(), TaskError> {
        cx.journal().note(Note::json(NoteKind::Route, self)?).await
    }
}
