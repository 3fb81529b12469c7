//! Approvals of agent tasks whose tools may change something.

use std::collections::BTreeSet;

use zeph_graph::wire::{GraphSpec, TaskSpec, WorkSpec};
use zeph_graph::{Approval, TaskGraph};
use zeph_planfile::inner_params;
use zeph_planner::agent::{AgentExecutor, AgentParams, Tools};
use zeph_subagent::AgentCatalog;

use super::OrchestratorError;

/// Adds an approval to each agent task of a graph that may call a tool which needs one, and the names of these
/// tools. No other approval names a tool.
pub(super) fn add_approvals(spec: &mut GraphSpec, agents: &AgentCatalog, tools: &Tools) {
    let needing: BTreeSet<&str> = tools.needing_approval().collect();
    for task in &mut spec.tasks {
        task.approve = task.approve.take().and_then(Approval::as_written);
        let may_call = may_call(task, agents, &needing);
        if !may_call.is_empty() {
            let approval = task.approve.get_or_insert_with(|| Approval::from(""));
            approval.tools = may_call.into_iter().map(str::to_owned).collect();
        }
    }
}

/// [`add_approvals`] to a graph.
pub(super) fn with_approvals(
    graph: TaskGraph,
    agents: &AgentCatalog,
    tools: &Tools,
) -> Result<TaskGraph, OrchestratorError> {
    let spec = GraphSpec::from(&graph);
    let mut approved = spec.clone();
    add_approvals(&mut approved, agents, tools);
    if approved == spec {
        return Ok(graph);
    }
    Ok(TaskGraph::try_from(approved)?)
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
            Some((task.name.as_str(), approve.question(&task.name)))
        });
        let texts: Vec<(&str, String)> = texts.collect();
        let both = "may call tools that change something: send, write";
        let names: Vec<&str> = texts.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["work", "any", "own", "list"]);
        assert_eq!(
            texts[0].1,
            format!("May it run? The agent of \"work\" {both}")
        );
        assert!(texts[1].1.ends_with("that change something: write"));
        assert!(texts[2].1.starts_with("Publish? The agent of \"own\" may"));
    }

    #[test]
    fn tools_are_allowed_by_an_explicit_yes_only() {
        let spec = gated(
            "[tasks.yes]\nprompt = 'x'\nagent = 'writer'\n\
             approve = { text = 'Go?', default = 'yes', after = '1m' }\n\
             [tasks.no]\nprompt = 'x'\nagent = 'writer'\n\
             approve = { text = 'Go?', default = 'no', after = '1m' }\n\
             [tasks.look]\nprompt = 'x'\nagent = 'reader'\n\
             approve = { text = 'Go?', default = 'yes', after = '1m' }\n",
        );
        let default = |index: usize| {
            let approve = spec.tasks[index].approve.as_ref().unwrap();
            approve.default_answer().map(|(_, yes)| yes)
        };
        assert_eq!([0, 1, 2].map(default), [None, Some(false), Some(true)]);
        // Without the tools it is what the plan says.
        let written = spec.tasks[0].approve.clone().unwrap().as_written().unwrap();
        assert_eq!(written.default_answer().map(|(_, yes)| yes), Some(true));
    }

    #[test]
    fn a_graph_that_comes_with_names_of_tools_approves_none_of_them() {
        let mut spec = PlanFiles::default()
            .compile("[tasks.a]\nprompt = 'x'\n[tasks.b]\nprompt = 'x'\napprove = 'Go?'\n")
            .unwrap();
        for task in &mut spec.tasks {
            let approval = task.approve.get_or_insert_with(|| "".into());
            approval.tools = ["write".to_owned()].into();
        }
        add_approvals(&mut spec, &AgentCatalog::new(), &Tools::new());
        assert_eq!(spec.tasks[0].approve, None);
        assert!(spec.tasks[1].approve.as_ref().unwrap().tools.is_empty());
    }
}
