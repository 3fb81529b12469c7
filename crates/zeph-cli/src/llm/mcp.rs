//! The MCP servers of the settings: started for the agents that list their tools.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::future::try_join_all;
use zeph_common::escape_terminal;
use zeph_config::{McpConfig, McpTransport};
use zeph_orchestration::command::{CommandExecutor, is_basic_variable};
use zeph_orchestration::mcp::{McpServer, Reach, connect};
use zeph_planner::agent::Tools;
use zeph_subagent::AgentCatalog;

use super::{proxy, service};
use crate::context::{AppContext, command};
use crate::exit::{CliError, Exit};

/// Between the name of a server and that of its tool.
const SEPARATOR: &str = "__";

/// The tools of servers that agents list, by server, in order. Other servers are not started.
fn listed<'a>(cx: &'a AppContext, agents: &'a AgentCatalog) -> BTreeSet<(&'a str, &'a str)> {
    let tools = agents.iter().flat_map(|agent| &agent.tools);
    let of_servers = tools.filter_map(|tool| {
        let (server, _) = tool.split_once(SEPARATOR)?;
        let (server, _) = cx.config().mcp.get_key_value(server)?;
        Some((server.as_str(), tool.as_str()))
    });
    of_servers.collect()
}

/// The names of the tools of servers that agents list.
pub(super) fn tool_names<'a>(cx: &'a AppContext, agents: &'a AgentCatalog) -> Vec<&'a str> {
    let listed = listed(cx, agents);
    listed.into_iter().map(|(_, tool)| tool).collect()
}

/// Starts the servers whose tools agents list, and adds these tools.
pub(super) async fn add_tools(
    cx: &AppContext,
    agents: &AgentCatalog,
    folder: &Path,
    tools: &mut Tools,
) -> Result<(), CliError> {
    let listed = listed(cx, agents);
    let names: BTreeSet<&str> = listed.iter().map(|(server, _)| *server).collect();
    let servers = names.iter().map(|name| start(cx, name, folder));
    let servers = try_join_all(servers).await?;
    for (name, tool) in listed {
        let server = servers.iter().find(|server| server.name() == name);
        let found = server.and_then(|server| server.tools().find(|one| one.name() == tool));
        let found = found.ok_or_else(|| missing(tool, name))?;
        tools
            .add(found)
            .map_err(|error| CliError::new(Exit::Usage, error.to_string()).code("bad_tool"))?;
    }
    Ok(())
}

/// Starts one server of the settings.
pub(crate) async fn start(
    cx: &AppContext,
    name: &str,
    folder: &Path,
) -> Result<McpServer, CliError> {
    let config = cx.config().mcp.get(name);
    let config = config.ok_or_else(|| unknown_server(name))?;
    if let Some(key) =
        variables(config).find(|name| service::key_variables().any(|key| key == *name))
    {
        let text =
            format!("mcp.{name} asks for {key}, the key of a model service, which no server gets");
        return Err(CliError::new(Exit::Usage, text)
            .code("mcp_server")
            .help("set a variable of another name, with a key of its own, for the server"));
    }
    // A server has the variables of its own table, and no others that could hold a secret.
    let commands = CommandExecutor::builder().cwd(folder).basic_env();
    let mut reach = Reach::new(commands.build());
    if let McpTransport::Url(url) = &config.transport {
        reach.token = config
            .token_env
            .as_deref()
            .map(|variable| token(name, variable))
            .transpose()?;
        reach.proxy = proxy::of(url, cx).map(|proxy| (proxy.url, proxy.except));
    }
    let connected = connect(name, config, &reach).await;
    connected.map_err(|error| {
        let text = error.to_string();
        let tools = command(&["mcp", "tools", name]);
        CliError::new(Exit::Usage, escape_terminal(&text).into_owned())
            .code("mcp_server")
            .help(format!(
                "`{tools}` tries it again; `zeph config show` has the settings.\nA program gets the basic variables, and those of `env` and `pass_env` in its table"
            ))
    })
}

/// The token in a variable.
fn token(server: &str, variable: &str) -> Result<String, CliError> {
    let value = std::env::var(variable).ok();
    value
        .filter(|value| !value.trim().is_empty())
        .ok_or_else(|| {
            let shown = escape_terminal(variable);
            let text = format!("mcp.{server}.token_env names {shown}, which is not set");
            CliError::new(Exit::Usage, text)
                .code("mcp_server")
                .help(format!(
                    "set {shown} to the token of the server, or remove `token_env`"
                ))
        })
}

pub(crate) fn unknown_server(name: &str) -> CliError {
    let shown = escape_terminal(name);
    let text = format!("the settings have no MCP server {shown:?}");
    let error = CliError::new(Exit::Usage, text).code("no_mcp_server");
    error.help("add a table [mcp.NAME] with `command` or `url`")
}

fn missing(tool: &str, server: &str) -> CliError {
    let tools = command(&["mcp", "tools", server]);
    let text = format!(
        "an agent lists the tool {tool:?}, which the MCP server {server:?} does not have, or the settings do not allow"
    );
    CliError::new(Exit::Usage, text)
        .code("unknown_tool")
        .help(format!(
            "`{tools}` lists its tools, and why others are left out"
        ))
}

/// The secrets of the servers: variables that their programs get, and their tokens.
pub(super) fn secrets(cx: &AppContext) -> impl Iterator<Item = (String, String)> {
    private_variables(cx).filter_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.trim().is_empty()).then(|| (name.to_owned(), value))
    })
}

/// The variables that are for one server only: neither commands of a run nor other servers inherit them.
pub(super) fn private_variables(cx: &AppContext) -> impl Iterator<Item = &str> {
    let variables = cx.config().mcp.values().flat_map(variables);
    variables.filter(|name| !is_basic_variable(name))
}

/// The variables of this process that a server needs.
pub(crate) fn variables(config: &McpConfig) -> impl Iterator<Item = &str> {
    let passed = config.pass_env.iter().chain(&config.token_env);
    passed.map(String::as_str)
}

/// The program of a server that is not found; `None` if it is, or if the server has an address.
pub(crate) fn missing_program(config: &McpConfig, folder: &Path) -> Option<String> {
    match &config.transport {
        McpTransport::Command(argv) => not_found(argv, &config.env, folder),
        McpTransport::Url(_) => None,
    }
}

/// The program of a command line if it is not found.
pub(crate) fn not_found(
    argv: &[String],
    env: &BTreeMap<String, String>,
    folder: &Path,
) -> Option<String> {
    let program = argv.first()?;
    if program.contains('/') {
        return (!folder.join(program).is_file()).then(|| program.clone());
    }
    let path = env.get("PATH").map(std::ffi::OsString::from);
    let path = path
        .or_else(|| std::env::var_os("PATH"))
        .unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    (!folders.any(|folder| folder.join(program).is_file())).then(|| program.clone())
}
