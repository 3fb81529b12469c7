//! `zeph agents`: lists the agents, or checks their definitions.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zeph_orchestration::OrchestratorError;
use zeph_planner::plan::Commands;
use zeph_subagent::{AgentCatalog, SubAgentDef};

use crate::args::{AgentsArgs, AgentsDo};
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm;
use crate::out;
use crate::read::page::{self, Page, count};

pub(crate) fn run(cx: &AppContext, args: &AgentsArgs) -> Result<Exit, CliError> {
    let folder = cx.config().agents.as_deref();
    let agents = llm::agents(cx, folder)?;
    let Some(folder) = folder else {
        return none(cx);
    };
    // The command templates, which planners are given too, are checked with the agents.
    let commands = Commands::new(cx.config().commands.clone());
    let commands = commands.map_err(OrchestratorError::CommandTemplates)?;
    let json = || {
        json!({
            "folder": folder.to_string_lossy(),
            "agents": agents.iter().map(to_json).collect::<Vec<_>>(),
            "commands": commands.names().collect::<Vec<_>>(),
        })
    };
    Ok(page::print(cx, json, |page| {
        if args.what == AgentsDo::List {
            render(page, &agents);
        }
        let known = count(agents.len() as u64, "agent");
        page.line(format!("ok {}: {known}", folder.display()));
    }))
}

fn none(cx: &AppContext) -> Result<Exit, CliError> {
    if cx.json() {
        out::json(&json!({ "folder": null, "agents": [], "commands": [] }));
    } else {
        out::note_line(
            "no folder of agents is set; a default agent does tasks that ask for an agent.\n\
             Set one with --agents DIR, or with agents in zeph.toml",
        );
    }
    Ok(Exit::Completed)
}

fn render(page: &mut Page, agents: &AgentCatalog) {
    let or_dash = |text: String| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text
        }
    };
    let list = |names: &BTreeSet<String>| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        or_dash(names.join(", "))
    };
    let row = |agent: &SubAgentDef| {
        vec![
            agent.name.clone(),
            or_dash(agent.model.clone().unwrap_or_default()),
            list(&agent.tools),
            list(&agent.tags),
            agent.description.clone(),
        ]
    };
    let rows: Vec<_> = agents.iter().map(row).collect();
    let header = ["AGENT", "MODEL", "TOOLS", "TAGS", "DESCRIPTION"];
    page.table(0, &header, &rows);
    if !rows.is_empty() {
        page.gap();
    }
}

fn to_json(agent: &SubAgentDef) -> Value {
    json!({
        "name": agent.name,
        "description": agent.description,
        "model": agent.model,
        "effort": agent.effort,
        "program": agent.program,
        "tools": agent.tools,
        "tags": agent.tags,
        "max_turns": agent.limits.max_turns,
        "max_output_tokens": agent.limits.max_output_tokens,
        "max_input_tokens": agent.limits.max_input_tokens,
    })
}
