//! The work of a task, checked against what the host has and allows.

mod command;

use std::collections::BTreeSet;

use zeph_diagnostics::{list, quote};
use zeph_graph::OnFailure;
use zeph_subagent::SubAgentDef;

use super::shape::TaskDraft;
use crate::plan::finding::{Findings, code, repair};
use crate::plan::{PlanRequest, PlannedWork, TaskKind};

/// The work of a task; `None` after a problem.
pub(super) fn read(
    task: &TaskDraft,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<PlannedWork> {
    let work = match task.kind? {
        TaskKind::Agent => agent(task, request, found),
        TaskKind::Command => command::read(task, request, found),
        TaskKind::Question => question(task, found),
    };
    check_prompt(task, request, found);
    work
}

fn agent(task: &TaskDraft, request: &PlanRequest, found: &mut Findings) -> Option<PlannedWork> {
    no_command(task, found);
    let prompt = needed_prompt(task, "write the instruction for the agent", found);
    let named = match &task.agent {
        Some(written) => Some(find_agent(task, written, request, found)?),
        None if request.rights.routed => None,
        None => {
            let help = found.help_for("", request.catalog.names());
            let message = "the task has no agent";
            found.problem(code::AGENT_NEEDED, task.at("agent"), message, help);
            return None;
        }
    };
    let tools = tools(task, named, request, found);
    Some(PlannedWork::Agent {
        agent: named.map(|agent| agent.name.clone()),
        prompt: prompt?,
        tools,
    })
}

fn find_agent<'a>(
    task: &TaskDraft,
    written: &str,
    request: &'a PlanRequest,
    found: &mut Findings,
) -> Option<&'a SubAgentDef> {
    if let Some(agent) = request.catalog.get(written) {
        return Some(agent);
    }
    let meant = written.trim();
    let mut names = request.catalog.names();
    if let Some(agent) = names
        .find(|name| name.eq_ignore_ascii_case(meant))
        .and_then(|name| request.catalog.get(name))
    {
        found.read_as(repair::FOLDED_CASE, task.at("agent"), written, &agent.name);
        return Some(agent);
    }
    let message = format!("unknown agent {}", quote(written));
    let help = found.help_for(meant, request.catalog.names());
    found.problem(code::UNKNOWN_AGENT, task.at("agent"), message, help);
    None
}

/// The tools that a task may use: those that it names, if plans and its agent may use them. Without
/// names the agent's tools are reduced to those that plans may use.
fn tools(
    task: &TaskDraft,
    agent: Option<&SubAgentDef>,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<Vec<String>> {
    let allowed = &request.rights.tools;
    let known: BTreeSet<&str> = match agent {
        Some(agent) => agent.tools.iter().map(String::as_str).collect(),
        None => request
            .catalog
            .iter()
            .flat_map(|agent| agent.tools.iter().map(String::as_str))
            .collect(),
    };
    let Some(written) = &task.tools else {
        if known.iter().all(|tool| allowed.contains(*tool)) {
            return None;
        }
        // The agent of a routed task is unknown, and so are its tools: it gets none.
        let kept = known
            .into_iter()
            .filter(|tool| agent.is_some() && allowed.contains(*tool));
        let kept: Vec<String> = kept.map(str::to_owned).collect();
        let message = format!("tools reduced to {}", shown(&kept));
        found.repair(repair::NARROWED_TOOLS, task.at("tools"), message);
        return Some(kept);
    };
    let mut tools = Vec::new();
    for (index, written) in written {
        if found.is_full() {
            break;
        }
        let at = task.at(&format!("tools/{index}"));
        let Some(tool) = find_tool(written, &at, request, found) else {
            continue;
        };
        if !allowed.contains(tool) {
            let message = format!("plans may not use the tool {}", quote(tool));
            let help = found.help_for("", allowed.iter().map(String::as_str));
            found.problem(code::TOOL_NOT_ALLOWED, at, message, help);
        } else if !known.contains(tool) {
            let message = match agent {
                Some(agent) => format!(
                    "{} may not use the tool {}",
                    quote(&agent.name),
                    quote(tool)
                ),
                None => format!("no agent may use the tool {}", quote(tool)),
            };
            let help = found.help_for("", known.iter().copied());
            found.problem(code::TOOL_NOT_ALLOWED, at, message, help);
        } else if tools.iter().any(|one| one == tool) {
            let message = format!("{} is listed twice", quote(tool));
            found.repair(repair::LISTED_TWICE, at, message);
        } else {
            tools.push(tool.to_owned());
        }
    }
    Some(tools)
}

fn find_tool<'a>(
    written: &str,
    at: &str,
    request: &'a PlanRequest,
    found: &mut Findings,
) -> Option<&'a str> {
    let of_agents = || request.catalog.iter().map(|agent| &agent.tools);
    let mut sets = of_agents().chain([&request.rights.tools]);
    if let Some(tool) = sets.find_map(|tools| tools.get(written)) {
        return Some(tool);
    }
    let meant = written.trim();
    let mut all = of_agents().chain([&request.rights.tools]).flatten();
    if let Some(tool) = all.find(|tool| tool.eq_ignore_ascii_case(meant)) {
        found.read_as(repair::FOLDED_CASE, at, written, tool);
        return Some(tool);
    }
    let message = format!("unknown tool {}", quote(written));
    let help = found.help_for(meant, request.rights.tools.iter().map(String::as_str));
    found.problem(code::UNKNOWN_TOOL, at, message, help);
    None
}

fn question(task: &TaskDraft, found: &mut Findings) -> Option<PlannedWork> {
    no_command(task, found);
    no_agent(task, "a question", found);
    // A question cannot fail, so its failure rule has no effect.
    if task.on_failure != OnFailure::default() {
        ignored(task, "on_failure", found);
    }
    let text = needed_prompt(task, "write the question for the person", found)?;
    Some(PlannedWork::Question { text })
}

fn needed_prompt(task: &TaskDraft, help: &str, found: &mut Findings) -> Option<String> {
    let prompt = task.prompt.as_deref().map(str::trim).unwrap_or_default();
    if prompt.is_empty() {
        let help = Some(help.to_owned());
        found.problem(
            code::EMPTY_TEXT,
            task.at("prompt"),
            "the prompt is empty",
            help,
        );
        return None;
    }
    Some(prompt.to_owned())
}

fn check_prompt(task: &TaskDraft, request: &PlanRequest, found: &mut Findings) {
    let most = request.limits.max_prompt_bytes;
    let bytes = task.prompt.as_ref().map_or(0, String::len);
    if bytes > most {
        let message = format!("the prompt has {bytes} bytes; at most {most} are allowed");
        let help = Some("shorten it, or divide it into two tasks".to_owned());
        found.problem(code::TEXT_TOO_LONG, task.at("prompt"), message, help);
    }
}

/// Reports the fields of an agent on another kind of task.
fn no_agent(task: &TaskDraft, what: &str, found: &mut Findings) {
    if task.agent.is_some() {
        misplaced(task, "agent", what, found);
    }
    match &task.tools {
        Some(tools) if tools.is_empty() => ignored(task, "tools", found),
        Some(_) => misplaced(task, "tools", what, found),
        None => {}
    }
}

/// Reports the fields of a command on another kind of task.
fn no_command(task: &TaskDraft, found: &mut Findings) {
    let what = "a task that runs no command";
    if task.command.is_some() {
        misplaced(task, "command", what, found);
    }
    match &task.arguments {
        Some(arguments) if arguments.is_empty() => ignored(task, "arguments", found),
        Some(_) => misplaced(task, "arguments", what, found),
        None => {}
    }
}

fn misplaced(task: &TaskDraft, field: &str, what: &str, found: &mut Findings) {
    let message = format!("\"{field}\" does not apply to {what}");
    let help = Some("write null, or change the kind".to_owned());
    found.problem(code::MISPLACED_FIELD, task.at(field), message, help);
}

fn ignored(task: &TaskDraft, field: &str, found: &mut Findings) {
    let message = format!("\"{field}\" ignored, because it has no effect here");
    found.repair(repair::IDLE_FIELD, task.at(field), message);
}

fn shown(tools: &[String]) -> String {
    if tools.is_empty() {
        return "none".to_owned();
    }
    list(tools.iter().map(String::as_str))
}
