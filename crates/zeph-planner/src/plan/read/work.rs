//! Work: what a task does, held against what the host has and allows.

mod command;

use std::collections::BTreeSet;

use zeph_subagent::SubAgentDef;

use super::shape::TaskDraft;
use crate::plan::finding::{Findings, show, suggest};
use crate::plan::{PlanCode, PlanOnFailure, PlanRequest, PlannedWork, RepairCode, TaskKind};

/// What a task does; `None` if there is a problem with it.
pub(super) fn of(
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
    let prompt = needed_prompt(task, "what the agent is to do", found);
    let named = match &task.agent {
        Some(written) => Some(find_agent(task, written, request, found)?),
        None if request.rights.routed => None,
        None => {
            let help = suggest("", request.catalog.names());
            let message = "no agent is named";
            found.problem(PlanCode::AgentNeeded, task.at("agent"), message, help);
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
        let message = format!("{} taken as {}", show(written), show(&agent.name));
        found.repair(RepairCode::FoldedCase, task.at("agent"), message);
        return Some(agent);
    }
    let message = format!("there is no agent {}", show(written));
    let help = suggest(meant, request.catalog.names());
    found.problem(PlanCode::UnknownAgent, task.at("agent"), message, help);
    None
}

/// The tools that a task may use: what it asks for, if plans and its agent may; what it does not
/// narrow is narrowed to what plans may use.
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
        // A routed task cannot name tools that only some agents have, so it gets none.
        let kept = known
            .into_iter()
            .filter(|tool| agent.is_some() && allowed.contains(*tool));
        let kept: Vec<String> = kept.map(str::to_owned).collect();
        let message = format!("all tools became {}", list(&kept));
        found.repair(RepairCode::NarrowedTools, task.at("tools"), message);
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
            let message = format!("a plan may not use the tool {}", show(tool));
            let help = suggest("", allowed.iter().map(String::as_str));
            found.problem(PlanCode::ToolNotAllowed, at, message, help);
        } else if !known.contains(tool) {
            let message = match agent {
                Some(agent) => format!("{} may not use the tool {}", show(&agent.name), show(tool)),
                None => format!("no agent may use the tool {}", show(tool)),
            };
            let help = suggest("", known.iter().copied());
            found.problem(PlanCode::ToolNotAllowed, at, message, help);
        } else if tools.iter().any(|one| one == tool) {
            let message = format!("{} is listed twice", show(tool));
            found.repair(RepairCode::ListedTwice, at, message);
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
        let message = format!("{} taken as {}", show(written), show(tool));
        found.repair(RepairCode::FoldedCase, at, message);
        return Some(tool);
    }
    let message = format!("there is no tool {}", show(written));
    let help = suggest(meant, request.rights.tools.iter().map(String::as_str));
    found.problem(PlanCode::UnknownTool, at, message, help);
    None
}

fn question(task: &TaskDraft, found: &mut Findings) -> Option<PlannedWork> {
    no_command(task, found);
    no_agent(task, "a question", found);
    // A question cannot fail, so it does not matter what a failure would mean.
    if task.on_failure != PlanOnFailure::default() {
        idle(task, "on_failure", found);
    }
    let text = needed_prompt(task, "what the person is asked", found)?;
    Some(PlannedWork::Question { text })
}

fn needed_prompt(task: &TaskDraft, what: &str, found: &mut Findings) -> Option<String> {
    let prompt = task.prompt.as_deref().map(str::trim).unwrap_or_default();
    if prompt.is_empty() {
        let help = Some(format!("say {what}"));
        found.problem(
            PlanCode::EmptyText,
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
        let message = format!("the prompt has {bytes} bytes, and may have {most}");
        let help = Some("say it in fewer words, or make two tasks of it".to_owned());
        found.problem(PlanCode::TextTooLong, task.at("prompt"), message, help);
    }
}

/// Reports the fields of an agent on another kind of task.
fn no_agent(task: &TaskDraft, what: &str, found: &mut Findings) {
    if task.agent.is_some() {
        misplaced(task, "agent", what, found);
    }
    match &task.tools {
        Some(tools) if tools.is_empty() => idle(task, "tools", found),
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
        Some(arguments) if arguments.is_empty() => idle(task, "arguments", found),
        Some(_) => misplaced(task, "arguments", what, found),
        None => {}
    }
}

fn misplaced(task: &TaskDraft, field: &str, what: &str, found: &mut Findings) {
    let message = format!("\"{field}\" has no meaning on {what}");
    let help = Some("write null, or another kind".to_owned());
    found.problem(PlanCode::MisplacedField, task.at(field), message, help);
}

fn idle(task: &TaskDraft, field: &str, found: &mut Findings) {
    let message = format!("\"{field}\" left out, for it says nothing here");
    found.repair(RepairCode::IdleField, task.at(field), message);
}

fn list(tools: &[String]) -> String {
    if tools.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<String> = tools.iter().map(|tool| show(tool)).collect();
    shown.join(", ")
}
