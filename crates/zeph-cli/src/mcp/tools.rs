//! `zeph mcp tools`: starts the servers of the settings, and lists their tools.

use std::path::Path;

use futures::future::join_all;
use serde_json::{Value, json};
use zeph_orchestration::mcp::McpServer;
use zeph_subagent::{AgentCatalog, Effect};

use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm;
use crate::out::{self, Tone};
use crate::read::page::{self, Cell, Page};

/// A server of the settings, and whether it answers.
struct Tried<'a> {
    name: &'a str,
    target: String,
    server: Result<McpServer, CliError>,
}

pub(super) async fn run(cx: &AppContext, only: Option<&str>) -> Result<Exit, CliError> {
    let servers = &cx.config().mcp;
    if servers.is_empty() && only.is_none() {
        if cx.json() {
            out::json(&json!({ "servers": [], "missing": [] }));
        } else {
            out::note_line(
                "the settings have no MCP server; add a table [mcp.NAME] with `command` or `url`",
            );
        }
        return Ok(Exit::Completed);
    }
    if let Some(name) = only.filter(|name| !servers.contains_key(*name)) {
        return Err(llm::mcp::unknown_server(name));
    }
    let agents = llm::agents(cx, cx.config().agents.as_deref())?;
    let wanted = servers
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == *name));
    let tried = wanted.map(|(name, config)| async move {
        Tried {
            name,
            target: config.target(),
            server: llm::mcp::start(cx, name, Path::new(".")).await,
        }
    });
    let tried = join_all(tried).await;
    let missing = missing(&agents, &tried);
    let json = || {
        let servers: Vec<Value> = tried.iter().map(Tried::to_json).collect();
        let missing = missing
            .iter()
            .map(|(agent, tool)| json!({ "agent": agent, "tool": tool }));
        json!({ "servers": servers, "missing": missing.collect::<Vec<_>>() })
    };
    page::print(cx, json, |page| {
        tried.iter().for_each(|one| one.render(page));
        for (agent, tool) in &missing {
            page.gap();
            let text = format!("the agent {agent} lists {tool}, which no server has");
            page.painted_line(&[(Tone::Bad, "missing "), (Tone::Plain, &text)]);
        }
    });
    let is_whole = missing.is_empty() && tried.iter().all(|one| one.server.is_ok());
    Ok(if is_whole {
        Exit::Completed
    } else {
        Exit::Failed
    })
}

/// The tools that agents list and that the servers which were tried do not have.
fn missing<'a>(agents: &'a AgentCatalog, tried: &[Tried<'_>]) -> Vec<(&'a str, &'a str)> {
    let mut missing = Vec::new();
    for agent in agents.iter() {
        for tool in &agent.tools {
            let server = tool.split_once("__").map(|(server, _)| server);
            let server = tried.iter().find(|one| Some(one.name) == server);
            let Some(Ok(server)) = server.map(|one| &one.server) else {
                continue;
            };
            if !server.tools().any(|one| one.name() == tool) {
                missing.push((agent.name.as_str(), tool.as_str()));
            }
        }
    }
    missing
}

/// The word for what a tool does.
const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Pure => "reads",
        Effect::Idempotent => "changes, may be repeated",
        Effect::AtMostOnce => "changes",
    }
}

impl Tried<'_> {
    fn to_json(&self) -> Value {
        let (tools, left_out): (Vec<Value>, Vec<Value>) = match &self.server {
            Err(_) => (Vec::new(), Vec::new()),
            Ok(server) => {
                let tools = server.tools().map(|tool| {
                    json!({
                        "tool": tool.name(),
                        "description": tool.description(),
                        "effect": tool.effect().word(),
                        "needs_approval": tool.needs_approval(),
                    })
                });
                let left_out = server
                    .refused()
                    .iter()
                    .map(|one| json!({ "tool": one.tool, "reason": one.why }));
                (tools.collect(), left_out.collect())
            }
        };
        json!({
            "server": self.name,
            "target": self.target,
            "error": self.server.as_ref().err().map(|error| &error.message),
            "tools": tools,
            "left_out": left_out,
        })
    }

    fn render(&self, page: &mut Page) {
        page.heading(format!("{}: {}", self.name, self.target));
        let server = match &self.server {
            Err(error) => {
                page.painted_line(&[(Tone::Bad, "error "), (Tone::Plain, &error.message)]);
                return;
            }
            Ok(server) => server,
        };
        let rows = server.tools().map(|tool| {
            let asks = if tool.needs_approval() { "yes" } else { "no" };
            let about = tool.description().lines().next().unwrap_or_default();
            let texts = [tool.name(), effect(tool.effect()), asks, about];
            texts.map(|text| Cell::from(text.to_owned())).to_vec()
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        page.table(0, &["TOOL", "EFFECT", "APPROVAL", "DESCRIPTION"], &rows);
        for one in server.refused() {
            let text = format!("{} is left out: {}", one.tool, one.why);
            page.painted_line(&[(Tone::Quiet, &text)]);
        }
    }
}
