//! Who does a task: the decision, and what is kept of it.

use serde::{Deserialize, Serialize};
use zeph_executor::{Note, NoteKind, TaskContext, TaskError};
use zeph_subagent::router::Decision;
use zeph_subagent::{Route, RouteRequest, SubAgentDef};

use super::fault;
use super::params::AgentParams;
use super::prompt::ParentShown;
use crate::LlmContext;

/// Who does a task and why, and what they see of its parents; a note of kind `route`.
///
/// One for each agent that an attempt tries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteNote {
    /// The agent; `None` if nobody does it.
    pub agent: Option<String>,
    /// The provider that it asks.
    pub provider: Option<String>,
    /// The router's decision with all that led to it; `None` if there are no agents to choose from.
    pub route: Option<Route>,
    /// What its prompt shows of the task's parents.
    pub parents: Vec<ParentShown>,
}

/// An agent that was chosen.
pub(super) struct Chosen<'a> {
    pub(super) agent: &'a SubAgentDef,
    pub(super) route: Option<Route>,
    /// Whether another one may do the task, too.
    pub(super) replaceable: bool,
}

/// An agent that failed at the task.
pub(super) struct Tried {
    pub(super) agent: String,
    pub(super) error: TaskError,
}

/// Chooses among the agents that have not been tried.
pub(super) async fn choose<'a>(
    llm_context: &'a LlmContext,
    cx: &TaskContext,
    params: &AgentParams,
    tried: &[Tried],
) -> Result<Chosen<'a>, TaskError> {
    let agents = llm_context.agents();
    let wanted = params.agent.as_deref();
    if let Some(name) = wanted.filter(|name| agents.get(name).is_none()) {
        return Err(fault::unknown_agent(name, agents));
    }
    if agents.is_empty() {
        return Ok(Chosen {
            agent: llm_context.default_agent(),
            route: None,
            replaceable: false,
        });
    }
    let tools = params.tools.iter().flatten().map(String::as_str);
    let tools: Vec<&str> = tools.collect();
    if let Some(name) = tools
        .iter()
        .find(|name| !llm_context.tools().contains(name))
    {
        return Err(fault::unknown_tool(name));
    }
    let why: Vec<String> = tried.iter().map(|one| one.error.to_string()).collect();
    let request = RouteRequest {
        wanted,
        tools,
        tags: params.tags.iter().map(String::as_str).collect(),
        ..RouteRequest::new(cx.name(), &params.prompt)
    };
    let excluded = tried.iter().zip(&why);
    let request = excluded.fold(request, |request, (one, why)| {
        request.exclude(&one.agent, why)
    });
    let route = llm_context.router().route(&request, agents).await;
    let agent = route.chosen().and_then(|name| agents.get(name));
    if let Some(agent) = agent {
        return Ok(Chosen {
            agent,
            route: Some(route),
            replaceable: wanted.is_none(),
        });
    }
    let error = refusal(llm_context, params, &route);
    let note = RouteNote {
        agent: None,
        provider: None,
        route: Some(route),
        parents: Vec::new(),
    };
    let note = Note::json(NoteKind::Route, &note)?;
    cx.journal().note(note).await?;
    Err(error)
}

/// Why nobody does it, as an error.
fn refusal(llm_context: &LlmContext, params: &AgentParams, route: &Route) -> TaskError {
    // A task that asks its agent for more than it may use is told so.
    let wanted = params
        .agent
        .as_deref()
        .and_then(|name| llm_context.agents().get(name));
    if let Some(agent) = wanted {
        let mut tools = params.tools.iter().flatten();
        if let Some(tool) = tools.find(|tool| !agent.tools.contains(*tool)) {
            return fault::tool_not_allowed(tool, &agent.name);
        }
    }
    match &route.decision {
        Decision::Ask => {
            let fitting = route.candidates.iter();
            let fitting = fitting.filter(|one| one.thrown_out.is_none());
            let names: Vec<&str> = fitting.map(|one| one.name.as_str()).collect();
            fault::choose_agent(&route.reason, &names)
        }
        Decision::Nobody => fault::no_agent(&route.reason),
        // The contract of routers forbids it; a router of the host's own may not keep it.
        Decision::Agent { name } => fault::unknown_agent(name, llm_context.agents()),
    }
}

/// Keeps the decision with what the prompt shows.
pub(super) async fn keep(
    cx: &TaskContext,
    chosen: &Chosen<'_>,
    provider: &str,
    shown: &[ParentShown],
) -> Result<(), TaskError> {
    let note = RouteNote {
        agent: Some(chosen.agent.name.clone()),
        provider: Some(provider.to_owned()),
        route: chosen.route.clone(),
        parents: shown.to_vec(),
    };
    cx.journal().note(Note::json(NoteKind::Route, &note)?).await
}
