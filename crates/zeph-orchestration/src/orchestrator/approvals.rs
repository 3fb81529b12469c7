//! Approvals of agent tasks whose tools may change something.

use std::collections::BTreeSet;

use zeph_graph::wire::{GraphSpec, TaskSpec, WorkSpec};
use zeph_graph::{Approval, TaskGraph};
use zeph_planfile::inner_params;
use zeph_planner::agent::{AgentExecutor, AgentParams, Tools};
use zeph_subagent::AgentCatalog;

use super::OrchestratorError;

/// Adds an approval to each agent task of a graph that may call a tool which needs one. An approval that the
/// task has already also names these tools.
pub(super) fn add_approvals(spec: &mut GraphSpec, agents: &AgentCatalog, tools: &Tools) {
    let needing: BTreeSet<&str> = tools.needing_approval().collect();
    if needing.is_empty() {
        return;
    }
    for task in &mut spec.tasks {
        let may_call = may_call(task, agents, &needing);
        if may_call.is_empty() {
            continue;
        }
        let what = format!(
            "the agent of {:?} may call what changes something: {}",
            task.name,
            may_call.into_iter().collect::<Vec<_>>().join(", ")
        );
        let approval = task.approve.take();
        task.approve = Some(match approval {
            // Planned before with the same tools: a graph that runs again.
            Some(approval) if approval.text.contains(&what) => approval,
            Some(approval) => Approval {
                text: format!("{} ({what})", approval.text),
                ..approval
            },
            None => Approval::from(format!("May it run? {what}")),
        });
    }
}

/// [`add_approvals`] to a graph.
pub(super) fn with_approvals(
    graph: TaskGraph,
    agents: &AgentCatalog,
    tools: &Tools,
) -> Result<TaskGraph, OrchestratorError> {
    if tools.needing_approval().next().is_none() {
        return Ok(graph);
    }
    let mut spec = GraphSpec::from(&graph);
    add_approvals(&mut spec, agents, tools);
    Ok(TaskGraph::try_from(spec)?)
}

/// The tools that a task may call and that need an approval. A task without an agent may get any agent.
fn may_call<'a>(
    task: &TaskSpec,
    agents: &'a AgentCatalog,
    needing: &BTreeSet<&'a str>,
) -> BTreeSet<&'a str> {
    let WorkSpec::Action { name, params } = &task.work else {
        return BTreeSet::new();
    };
    if *name != *AgentExecutor::ACTION {
        return BTreeSet::new();
    }
    let params = serde_json::from_value::<AgentParams>(inner_params(params));
    // A task whose parameters cannot be read is refused elsewhere.
    let params = params.unwrap_or_default();
    let agents = agents.iter().filter(|agent| {
        let wanted = params.agent.as_deref();
        wanted.is_none_or(|wanted| wanted == agent.name)
    });
    let listed: BTreeSet<&str> = agents
        .flat_map(|agent| agent.tools.iter().map(String::as_str))
        .collect();
    let is_wanted = |name: &str| {
        let wanted = params.tools.as_ref();
        wanted.is_none_or(|wanted| wanted.iter().any(|one| one == name))
    };
    let needing = needing.iter().copied();
    needing
        .filter(|name| listed.contains(name) && is_wanted(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use zeph_executor::{TaskContext, TaskError};
    use zeph_graph::wire::GraphSpec;
    use zeph_planner::agent::Tools;
    use zeph_subagent::{AgentCatalog, SubAgentDef, Tool, ToolOutput};

    use super::add_approvals;
    use crate::plan::PlanFiles;

    struct Named(&'static str, bool);

    #[zeph_executor::async_trait]
    impl Tool for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn description(&self) -> &str {
            ""
        }

        fn parameters(&self) -> serde_json::Value {
            serde_json::json!({ "type": "object" })
        }

        fn needs_approval(&self) -> bool {
            self.1
        }

        async fn call(
            &self,
            _: &TaskContext,
            _: serde_json::Value,
        ) -> Result<ToolOutput, TaskError> {
            Ok("done".into())
        }
    }

    fn gated(plan: &str) -> GraphSpec {
        let mut tools = Tools::new();
        for (name, needs) in [("read", false), ("write", true), ("send", true)] {
            tools.add(Named(name, needs)).unwrap();
        }
        let mut agents = AgentCatalog::new();
        let reader = SubAgentDef::new("reader", "Reads", "You read.").tool("read");
        let writer = SubAgentDef::new("writer", "Writes", "You write.")
            .tool("read")
            .tool("write")
            .tool("send");
        agents.add(reader).unwrap();
        agents.add(writer).unwrap();
        let mut spec = PlanFiles::default().compile(plan).unwrap();
        add_approvals(&mut spec, &agents, &tools);
        // A second time nothing changes.
        let once = spec.clone();
        add_approvals(&mut spec, &agents, &tools);
        assert_eq!(spec, once);
        spec
    }

    #[test]
    fn a_person_approves_the_tasks_that_may_change_something_and_sees_the_tools() {
        let spec = gated(
            "[tasks.look]\nprompt = 'x'\nagent = 'reader'\n\
             [tasks.work]\nprompt = 'x'\nagent = 'writer'\n\
             [tasks.narrow]\nprompt = 'x'\nagent = 'writer'\ntools = ['read']\n\
             [tasks.any]\nprompt = 'x'\ntools = ['write']\n\
             [tasks.own]\nprompt = 'x'\nagent = 'writer'\napprove = 'Publish?'\n\
             [tasks.list]\nprompt = '${{ item }}'\nforeach = ['a']\nagent = 'writer'\n\
             [tasks.shell]\nrun = ['ls']\n",
        );
        let texts = spec.tasks.iter().filter_map(|task| {
            let approve = task.approve.as_ref()?;
            Some((task.name.as_str(), approve.text.as_str()))
        });
        let texts: Vec<(&str, &str)> = texts.collect();
        let both = "may call what changes something: send, write";
        let names: Vec<&str> = texts.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["work", "any", "own", "list"]);
        assert_eq!(
            texts[0].1,
            format!("May it run? the agent of \"work\" {both}")
        );
        assert!(
            texts[1]
                .1
                .ends_with("may call what changes something: write")
        );
        assert!(texts[2].1.starts_with("Publish? (the agent of \"own\" may"));
    }
}
