//! The tools that need a right in the settings: `tools.write`, `tools.run`, `tools.http`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use zeph_executor::{Executor as _, TaskContext, TaskError, TaskInput};
use zeph_orchestration::OrchestratorError;
use zeph_orchestration::command::CommandExecutor;
use zeph_planner::agent::Tools;
use zeph_planner::plan::Commands;
use zeph_subagent::{AgentCatalog, Effect, Tool, ToolOutput, tool_fn, with_effect};

use super::folder::Folder;
use super::guarded::Guarded;
use super::http::{Getter, Host};
use super::{NAMES, aside, write};
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm::{ModelConfig, proxy, service};

const WRITE: &str = "write_file";
const EDIT: &str = "edit_file";
const RUN: &str = "run_command";
const GET: &str = "http_get";

/// Each tool that needs a right, and what it needs.
const NEEDS: [(&str, &str); 4] = [
    (WRITE, "it needs a folder in `tools.write` of your settings"),
    (EDIT, "it needs a folder in `tools.write` of your settings"),
    (
        RUN,
        "it needs names of commands in `tools.run` of your settings",
    ),
    (GET, "it needs hosts in `tools.http` of your settings"),
];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Write {
    /// The file, relative to the folder that may be written.
    path: String,
    /// The whole new text of the file.
    text: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// The file, relative to the folder that may be written.
    path: String,
    /// A text that is in the file exactly once.
    old: String,
    /// The text in its place.
    new: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Run {
    /// The name of the command.
    command: String,
    /// Its arguments by name.
    #[serde(default)]
    arguments: BTreeMap<String, String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Get {
    /// The address.
    url: String,
}

fn has(cx: &AppContext, tool: &str) -> bool {
    let rights = &cx.config().tools;
    match tool {
        WRITE | EDIT => rights.write.is_some(),
        RUN => !rights.run.is_empty(),
        _ => !rights.http.is_empty(),
    }
}

/// The names of the tools in the box that agents may list.
pub(crate) fn names(cx: &AppContext) -> Vec<&'static str> {
    let allowed = NEEDS.iter().filter(|(name, _)| has(cx, name));
    NAMES
        .into_iter()
        .chain(allowed.map(|(name, _)| *name))
        .collect()
}

/// The other tools in the box, and what they need.
pub(crate) fn missing(cx: &AppContext) -> impl Iterator<Item = (&'static str, &'static str)> {
    NEEDS.into_iter().filter(|(name, _)| !has(cx, name))
}

/// Adds the tools for which the settings have a right, for a run with these models. Commands run in `folder`.
pub(crate) fn add(
    cx: &AppContext,
    models: &ModelConfig,
    agents: &AgentCatalog,
    folder: &Path,
    tools: &mut Tools,
) -> Result<(), CliError> {
    let rights = &cx.config().tools;
    let mut all: Vec<Arc<dyn Tool>> = Vec::new();
    if let Some(below) = &rights.write {
        let guarded = Guarded::of(cx.config(), cx.db().ok(), models, agents, folder);
        all.extend(writing(below, &guarded));
    }
    if !rights.run.is_empty() {
        all.push(running(cx, folder)?);
    }
    if !rights.http.is_empty() {
        all.push(getting(cx)?);
    }
    for tool in all {
        let added = tools.add(tool);
        added.map_err(|error| CliError::new(Exit::Internal, error.to_string()))?;
    }
    Ok(())
}

fn writing(below: &Path, guarded: &Guarded) -> [Arc<dyn Tool>; 2] {
    let folder = Arc::new(Folder::new(below));
    let here = Arc::clone(&folder);
    let (for_write, guarded) = (guarded.clone(), guarded.clone());
    let name = below.file_name().unwrap_or(below.as_os_str());
    let name = zeph_common::escape_terminal(&name.to_string_lossy()).into_owned();
    let write_file = tool_fn(
        WRITE,
        format!(
            "Writes a text file below the folder {name}, at most 1 MiB; replaces one that is there"
        ),
        move |_, of: Write| {
            let guarded = for_write.clone();
            aside(Arc::clone(&here), move |folder, _| {
                write::write(folder, &guarded, &of.path, &of.text)
            })
        },
    );
    let edit_file = tool_fn(
        EDIT,
        format!("Replaces a text in a text file below the folder {name}"),
        move |_, of: Edit| {
            let guarded = guarded.clone();
            aside(Arc::clone(&folder), move |folder, _| {
                write::edit(folder, &guarded, &of.path, (&of.old, &of.new))
            })
        },
    );
    [
        with_effect(Effect::Idempotent, write_file),
        with_effect(Effect::AtMostOnce, edit_file),
    ]
}

fn running(cx: &AppContext, folder: &Path) -> Result<Arc<dyn Tool>, CliError> {
    let mut templates = BTreeMap::new();
    for name in &cx.config().tools.run {
        let template = cx.config().commands.get(name).ok_or_else(|| {
            let shown = zeph_common::escape_terminal(name);
            let text =
                format!("tools.run names the command {shown:?}, which the settings do not have");
            CliError::new(Exit::Usage, text)
                .code("unknown_command")
                .help("add a table [commands.NAME], or take the name out of tools.run")
        })?;
        templates.insert(name.clone(), template.clone());
    }
    let commands = Commands::new(templates).map_err(OrchestratorError::CommandTemplates)?;
    let about: Vec<String> = commands.descriptions().collect();
    let commands = Arc::new(commands);
    // An agent chose the command, so it gets what the settings pass on to all commands, and never a key of a model.
    let keys: Vec<&str> = service::key_variables().collect();
    let passed = cx.config().pass_env.iter();
    let passed = passed.filter(|name| !keys.contains(&name.as_str()));
    let executor = CommandExecutor::builder()
        .cwd(folder)
        .basic_env()
        .pass_env(passed)
        .build();
    let tool = tool_fn(
        RUN,
        format!("Runs one of these commands. {}", about.join(". ")),
        move |cx, of: Run| run(executor.clone(), Arc::clone(&commands), cx, of),
    );
    Ok(with_effect(Effect::AtMostOnce, tool))
}

async fn run(
    executor: CommandExecutor,
    commands: Arc<Commands>,
    cx: TaskContext,
    of: Run,
) -> Result<ToolOutput, TaskError> {
    let argv = commands.fill(&of.command, &of.arguments);
    let argv = argv.map_err(|why| TaskError::permanent(why).with_code("invalid_arguments"))?;
    let output = executor
        .execute(&cx, TaskInput::new(json!({ "argv": argv })))
        .await?;
    let stdout = output.value["stdout"].as_str().unwrap_or_default();
    let stderr = output.value["stderr"].as_str().unwrap_or_default();
    Ok(match stderr.trim() {
        "" => stdout.to_owned(),
        stderr => format!("{stdout}\nstandard error:\n{stderr}"),
    }
    .into())
}

fn getting(cx: &AppContext) -> Result<Arc<dyn Tool>, CliError> {
    let mut hosts = Vec::new();
    for text in &cx.config().tools.http {
        hosts.push(Host::read(text).ok_or_else(|| {
            let shown = zeph_common::escape_terminal(text);
            CliError::new(Exit::Usage, format!("tools.http: {shown:?} is no host"))
                .code("bad_host")
                .help("write HOST, HOST:PORT, or http://HOST:PORT")
        })?);
    }
    let proxy = |address: &str| proxy::of(address, cx).map(|proxy| (proxy.url, proxy.except));
    let getter = Getter::new(hosts, proxy)
        .map_err(|error| CliError::new(Exit::Usage, error.to_string()).code("bad_proxy"))?;
    let about = format!(
        "The text at an address, at most 1 MiB, of these hosts: {}",
        getter.allowed()
    );
    let tool = tool_fn(GET, about, move |_, of: Get| {
        let getter = getter.clone();
        async move { getter.get(&of.url).await }
    });
    Ok(with_effect(Effect::Pure, tool))
}
