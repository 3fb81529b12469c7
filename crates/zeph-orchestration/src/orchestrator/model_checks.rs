//! What is checked before a run whose tasks ask a model.

use zeph_graph::wire::GraphSpec;
use zeph_graph::{TaskGraph, TaskId, Work};
use zeph_planfile::is_judged;
use zeph_planner::agent::AgentExecutor;
use zeph_planner::plan::{ADOPT, ANSWER, PLAN};

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

    /// A run whose money is limited needs a price for its model, and for the one in its place.
    pub(super) fn check_price(&self, run: &RunParts<'_>) -> Result<(), OrchestratorError> {
        let mut models = self.provider.iter().chain(&self.fallback);
        match models.find(|provider| provider.capabilities().prices.is_none()) {
            Some(provider) if run.budget.micro_usd().is_some() => {
                Err(OrchestratorError::UnknownPrice {
                    model: provider.name().to_owned(),
                })
            }
            Some(_) | None => Ok(()),
        }
    }
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
