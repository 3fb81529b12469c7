//! The check of the agents and tools that tasks name, before a run.

use serde_json::Value;
use zeph_diagnostics::Diagnostics;
use zeph_graph::wire::{GraphSpec, WorkSpec};
use zeph_graph::{TaskGraph, TaskId, Work};
use zeph_planfile::inner_params;
use zeph_planner::agent::{AgentExecutor, check_tasks};
use zeph_subagent::AgentCatalog;

/// The problems of the agent tasks of a graph that `counts` accepts, each with the name of its task as the
/// subject: agents and tools that do not exist or may not be used.
#[must_use]
pub fn agent_problems(
    graph: &TaskGraph,
    counts: impl Fn(TaskId) -> bool,
    agents: &AgentCatalog,
    tools: &[&str],
) -> Diagnostics {
    let tasks = graph.tasks().filter_map(|(id, task)| match task.work() {
        Work::Action { name, params } if **name == *AgentExecutor::ACTION && counts(id) => {
            Some((task.name(), inner_params(&params.to_value().ok()?)))
        }
        Work::Action { .. } | Work::Milestone | Work::Question(_) => None,
    });
    check(&tasks.collect::<Vec<_>>(), agents, tools)
}

fn check(tasks: &[(&str, Value)], agents: &AgentCatalog, tools: &[&str]) -> Diagnostics {
    let tasks = tasks.iter().map(|(name, params)| (*name, params));
    check_tasks(tasks, agents, tools)
}

/// As [`agent_problems`], of a plan that a person edited.
#[must_use]
pub fn edited_plan_problems(
    spec: &GraphSpec,
    agents: &AgentCatalog,
    tools: &[&str],
) -> Diagnostics {
    let tasks = spec.tasks.iter().filter_map(|task| match &task.work {
        WorkSpec::Action { name, params } if *name == *AgentExecutor::ACTION => {
            Some((task.name.as_str(), inner_params(params)))
        }
        WorkSpec::Action { .. } | WorkSpec::Milestone {} | WorkSpec::Question(_) => None,
    });
    check(&tasks.collect::<Vec<_>>(), agents, tools)
}
