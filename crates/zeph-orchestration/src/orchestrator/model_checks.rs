//! What is checked before a run whose tasks ask a model.

use std::collections::BTreeSet;

use serde_json::Value;
use zeph_diagnostics::{Code, Diagnostic, quote};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{Task, TaskGraph, TaskId, Work};
use zeph_planfile::{inner_params, is_judged};
use zeph_planner::agent::{AgentExecutor, AgentParams};
use zeph_planner::plan::{ADOPT, ANSWER, PLAN};
use zeph_planner::unsupported_by;
use zeph_subagent::{AgentOutput, SubAgentDef};

use super::OrchestratorError;
use super::agent_check::agent_problems;
use super::approvals::{add_approvals, with_approvals};
use super::compose::RunParts;
use super::models::ModelSide;

impl ModelSide {
    /// The problems of the agent tasks that `counts` accepts: agents, tools and models that do not exist or may
    /// not be used, and models that cannot do what a task needs.
    pub(super) fn check_agents(
        &self,
        graph: &TaskGraph,
        counts: impl Fn(TaskId) -> bool,
    ) -> Result<(), OrchestratorError> {
        if self.provider.is_none() {
            return Ok(());
        }
        let tools: Vec<&str> = self.tools.names().collect();
        let mut problems = agent_problems(graph, &counts, &self.agents, &tools);
        for (_, task) in graph.tasks().filter(|(id, _)| counts(*id)) {
            problems.extend(self.unsupported(task));
            let Some(model) = model_of(task) else {
                continue;
            };
            // A changed context may list others.
            if self.context.is_empty() && self.named.iter().all(|(name, _)| *name != model) {
                let message = format!("there is no model {}", quote(&model));
                let problem = Diagnostic::new(Code::new("unknown_model"), message);
                let help = "add it with `OrchestratorBuilder::named_model`";
                problems.push(problem.subject(task.name()).help(help));
            }
        }
        problems.into_result().map_err(OrchestratorError::Agents)
    }

    /// What an agent task needs and its model cannot do, as far as the plan says who does it.
    fn unsupported(&self, task: &Task) -> Option<Diagnostic> {
        let params: AgentParams = serde_json::from_value(agent_params(task)?).ok()?;
        let agent = params
            .agent
            .as_deref()
            .and_then(|name| self.agents.get(name));
        if agent.is_some_and(|agent| agent.program.is_some()) {
            return None;
        }
        let model = params.model.as_deref();
        let model = model.or(agent.and_then(|agent| agent.model.as_deref()));
        // The router may choose an agent with a model of its own.
        let is_open = agent.is_none() && self.agents.iter().next().is_some();
        let provider = match model {
            None if is_open => return None,
            Some(model) => &self.named.iter().find(|(name, _)| *name == model)?.1,
            None => self.provider.as_ref()?,
        };
        let own = agent.map(|agent| !agent.tools.is_empty());
        let tools = params.tools.as_ref().map(|tools| !tools.is_empty());
        let output = params.output.as_ref().or(agent.map(|agent| &agent.output));
        let has_tools = tools.or(own).unwrap_or_default();
        let subject = format!("task {}", quote(task.name()));
        let output = output.unwrap_or(&AgentOutput::Text);
        let problem = unsupported_by(&**provider, &subject, has_tools, output)?;
        Some(problem.subject(task.name()))
    }

    /// The graph of a new run, in which a person approves the agent tasks that may change something.
    pub(super) fn with_approvals(&self, graph: TaskGraph) -> Result<TaskGraph, OrchestratorError> {
        with_approvals(graph, &self.agents, &self.tools)
    }

    /// Adds the approvals to the tasks that a person adds to a run.
    pub(super) fn approvals_of_patches(&self) -> impl Fn(&mut GraphSpec) + Send + Sync + 'static {
        let (agents, tools) = (self.agents.clone(), self.tools.clone());
        move |patch| add_approvals(patch, &agents, &tools)
    }

    /// A run whose money is limited needs a price for its model, for the one in its place, and for each agent that
    /// is a program and may do one of the tasks that `counts` accepts.
    pub(super) fn check_prices(
        &self,
        run: &RunParts<'_>,
        counts: impl Fn(TaskId) -> bool,
    ) -> Result<(), OrchestratorError> {
        if run.budget.micro_usd().is_none() {
            return Ok(());
        }
        let mut models = self.provider.iter().chain(&self.fallback);
        if let Some(model) = models.find(|model| model.capabilities().prices.is_none()) {
            let model = model.name().to_owned();
            return Err(OrchestratorError::UnknownPrice { model });
        }
        let tasks = run.graph.tasks().filter(|(id, _)| counts(*id));
        for model in tasks.filter_map(|(_, task)| model_of(task)) {
            let mut named = self.named.iter().filter(|(name, _)| *name == model);
            if named.any(|(_, provider)| provider.capabilities().prices.is_none()) {
                return Err(OrchestratorError::UnknownPrice { model });
            }
        }
        let counts_agent = |agent: &&SubAgentDef| may_use(run.graph, &counts, &agent.name);
        for agent in self.agents.iter().filter(|agent| agent.program.is_none()) {
            let mut named =
                (self.named.iter()).filter(|(name, _)| Some(name) == agent.model.as_ref());
            let is_unpriced = named.any(|(_, provider)| provider.capabilities().prices.is_none());
            if is_unpriced && counts_agent(&agent) {
                let model = agent.model.clone().unwrap_or_default();
                return Err(OrchestratorError::UnknownPrice { model });
            }
        }
        let is_unpriced = |agent: &&SubAgentDef| {
            let program = agent.program.as_ref();
            program.is_some_and(|program| program.price_per_call.is_none())
        };
        let mut unpriced = self.agents.iter().filter(is_unpriced);
        match unpriced.find(counts_agent) {
            Some(agent) => Err(OrchestratorError::UnknownAgentPrice {
                agent: agent.name.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// The models that tasks of a graph name, each once.
#[must_use]
pub fn models_of_tasks(graph: &TaskGraph) -> BTreeSet<String> {
    graph
        .tasks()
        .filter_map(|(_, task)| model_of(task))
        .collect()
}

/// The model that a task names.
fn model_of(task: &Task) -> Option<String> {
    Some(agent_params(task)?.get("model")?.as_str()?.to_owned())
}

/// The parameters of a task for an agent.
fn agent_params(task: &Task) -> Option<Value> {
    let Work::Action { name, params } = task.work() else {
        return None;
    };
    let is_agent = **name == *AgentExecutor::ACTION;
    let params = is_agent.then(|| params.to_value().ok()).flatten()?;
    Some(inner_params(&params))
}

/// Whether one of the tasks that `counts` accepts may be done by that agent: it names this one, leaves the choice
/// open, or plans.
fn may_use(graph: &TaskGraph, counts: impl Fn(TaskId) -> bool, agent: &str) -> bool {
    graph.tasks().any(|(id, task)| match task.work() {
        Work::Action { name, params } if counts(id) => match &**name {
            PLAN | ADOPT => true,
            AgentExecutor::ACTION => {
                let params = params.to_value().map(|params| inner_params(&params));
                let params = params.unwrap_or_default();
                let named = params.get("agent").and_then(|name| name.as_str());
                named.is_none_or(|name| name.eq_ignore_ascii_case(agent))
            }
            _ => false,
        },
        Work::Action { .. } | Work::Milestone | Work::Question(_) => false,
    })
}

/// Whether one of the tasks that `counts` accepts asks a model, or may add tasks that do.
#[must_use]
pub fn needs_model(graph: &TaskGraph, counts: impl Fn(TaskId) -> bool) -> bool {
    const ASKING: [&str; 4] = [AgentExecutor::ACTION, PLAN, ADOPT, ANSWER];
    graph.tasks().any(|(id, task)| match task.work() {
        Work::Action { name, params } => {
            (ASKING.contains(&&**name) || params.to_value().is_ok_and(|params| is_judged(&params)))
                && counts(id)
        }
        Work::Milestone | Work::Question(_) => false,
    })
}
