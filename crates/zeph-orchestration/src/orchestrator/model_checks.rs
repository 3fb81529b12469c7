//! What is checked before a run whose tasks ask a model.

use zeph_graph::wire::GraphSpec;
use zeph_graph::{TaskGraph, TaskId, Work};
use zeph_planfile::{inner_params, is_judged};
use zeph_planner::agent::AgentExecutor;
use zeph_planner::plan::{ADOPT, ANSWER, PLAN};
use zeph_subagent::SubAgentDef;

use super::OrchestratorError;
use super::agent_check::agent_problems;
use super::approvals::{add_approvals, with_approvals};
use super::compose::RunParts;
use super::models::ModelSide;

impl ModelSide {
    /// The problems of the agent tasks that `counts` accepts: agents and tools that do not exist or may not
    /// be used.
    pub(super) fn check_agents(
        &self,
        graph: &TaskGraph,
        counts: impl Fn(TaskId) -> bool,
    ) -> Result<(), OrchestratorError> {
        if self.provider.is_none() {
            return Ok(());
        }
        let tools: Vec<&str> = self.tools.names().collect();
        let problems = agent_problems(graph, counts, &self.agents, &tools);
        problems.into_result().map_err(OrchestratorError::Agents)
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
        let is_unpriced = |agent: &&SubAgentDef| {
            let program = agent.program.as_ref();
            program.is_some_and(|program| program.price_per_call.is_none())
        };
        let mut unpriced = self.agents.iter().filter(is_unpriced);
        match unpriced.find(|agent| may_use(run.graph, &counts, &agent.name)) {
            Some(agent) => Err(OrchestratorError::UnknownAgentPrice {
                agent: agent.name.clone(),
            }),
            None => Ok(()),
        }
    }
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
