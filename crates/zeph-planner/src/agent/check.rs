//! The check of agent tasks before a run: names that an attempt would not find.

use serde::Deserialize as _;
use serde_json::Value;
use zeph_diagnostics::{Diagnostic, Diagnostics, quote};
use zeph_subagent::AgentCatalog;

use super::params::AgentParams;

/// The codes of the problems of agent tasks, which are those of the errors of an attempt.
pub mod code {
    zeph_diagnostics::codes! {
        /// The parameters of the action cannot be read.
        INVALID_PARAMS = "invalid_params",
        /// There is no such agent.
        UNKNOWN_AGENT = "unknown_agent",
        /// The host has no such tool.
        UNKNOWN_TOOL = "unknown_tool",
        /// The agent may not use this tool.
        TOOL_NOT_ALLOWED = "tool_not_allowed",
    }
}

/// The problems of the agent tasks of a graph, each with the name of its task as the subject.
///
/// `tasks` are the names and the parameters of actions named [`ACTION`](super::AgentExecutor::ACTION);
/// `tools` are the tools of the host. A task without problems can still find no agent, if the router
/// chooses none.
///
/// # Examples
/// ```
/// use zeph_planner::agent::check_tasks;
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
/// let mut agents = AgentCatalog::new();
/// agents.add(SubAgentDef::new("analyst", "Counts things", "You count."))?;
/// let task = serde_json::json!({ "agent": "analist", "prompt": "Count the files" });
/// let problems = check_tasks([("count", &task)], &agents, &["read_file"]);
/// assert_eq!(problems.to_string(), "[unknown_agent] the task \"count\" names an unknown agent, \"analist\" (did you mean \"analyst\"?)");
/// # Ok::<(), zeph_subagent::Diagnostics>(())
/// ```
#[must_use]
pub fn check_tasks<'a>(
    tasks: impl IntoIterator<Item = (&'a str, &'a Value)>,
    agents: &AgentCatalog,
    tools: &[&str],
) -> Diagnostics {
    let mut problems = Diagnostics::new();
    for (name, params) in tasks {
        if problems.is_full() {
            break;
        }
        let found = match AgentParams::deserialize(params) {
            Ok(params) => check(name, &params, agents, tools),
            Err(error) => {
                let message = format!("the parameters of the task {}: {error}", quote(name));
                vec![Diagnostic::new(code::INVALID_PARAMS, message)]
            }
        };
        problems.extend(found.into_iter().map(|one| one.subject(name)));
    }
    problems
}

fn check(
    name: &str,
    params: &AgentParams,
    agents: &AgentCatalog,
    tools: &[&str],
) -> Vec<Diagnostic> {
    let task = quote(name);
    let mut found = Vec::new();
    let agent = params.agent.as_deref().map(|wanted| {
        let agent = agents.get(wanted);
        if agent.is_none() {
            let message = format!("the task {task} names an unknown agent, {}", quote(wanted));
            let one = Diagnostic::new(code::UNKNOWN_AGENT, message);
            found.push(match agents.suggest(wanted) {
                Some(near) => one.suggest(Some(near)),
                None if agents.is_empty() => one.help(
                    "no agents are defined: remove `agent`, or name the folder of their definitions with `--agents DIR`",
                ),
                None => one.help(format!("known are {}", zeph_diagnostics::list(agents.names()))),
            });
        }
        agent
    });
    for tool in params.tools.iter().flatten() {
        let shown = quote(tool);
        if !tools.contains(&tool.as_str()) {
            let message = format!("the task {task} names an unknown tool, {shown}");
            let one = Diagnostic::new(code::UNKNOWN_TOOL, message);
            found.push(
                match zeph_diagnostics::suggest(tool, tools.iter().copied()) {
                    Some(near) => one.suggest(Some(near)),
                    None => one.help(format!(
                        "known are {}",
                        zeph_diagnostics::list(tools.iter().copied())
                    )),
                },
            );
            continue;
        }
        let (is_allowed, who) = match agent {
            // The unknown agent is the problem.
            Some(None) => continue,
            Some(Some(agent)) => (
                agent.tools.contains(tool),
                format!("its agent {} may not", quote(&agent.name)),
            ),
            None => (
                agents.iter().any(|agent| agent.tools.contains(tool)),
                "no agent may".to_owned(),
            ),
        };
        if !is_allowed {
            let message = format!("the task {task} names the tool {shown}, and {who} use it");
            let help =
                "remove the tool from the task, or add it to `tools` of the agent's definition";
            found.push(Diagnostic::new(code::TOOL_NOT_ALLOWED, message).help(help));
        }
    }
    found
}
