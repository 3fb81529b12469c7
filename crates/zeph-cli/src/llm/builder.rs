//! The facade's builder with the settings, models, agents, prompts and tools of the command line.

use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use zeph_config::Layer;
use zeph_graph::TaskGraph;
use zeph_orchestration::command::is_basic_variable;
use zeph_orchestration::plan::models_of_tasks;
use zeph_orchestration::{Orchestrator, OrchestratorBuilder};
use zeph_planner::agent::{ToolError, Tools};
use zeph_planner::plan::FallbackPlan;
use zeph_planner::prompts::Prompts;
use zeph_subagent::{AgentCatalog, AgentProgram, AgentReader};

use super::service::{self, model_problems};
use super::setup::ModelConfig;
use super::{mcp, tools};
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out;
use crate::problems;
use crate::project::{self, Trust};

/// A builder with settings and commands, for runs that ask no model.
///
/// The keys of services and the variables of MCP servers are redacted in every run, and no command inherits one: a
/// plan that needs one passes it on with `pass_env`.
pub(crate) fn base_builder(cx: &AppContext) -> OrchestratorBuilder {
    let builder = Orchestrator::builder()
        .settings(cx.config.clone())
        .commands(|command| command)
        .withhold(service::key_variables())
        .withhold(mcp::private_variables(cx));
    let builder = service::keys().fold(builder, |builder, (name, key)| {
        builder.secret(name, key.expose_secret())
    });
    mcp::secrets(cx).fold(builder, |builder, (name, value)| {
        builder.secret(name, value)
    })
}

/// The builder with the models of a run, and those that the tasks of its graph name. Agents read files of
/// `folder`. Starts the servers whose tools agents list.
pub(crate) async fn with_models(
    cx: &AppContext,
    models: &ModelConfig,
    graph: Option<&TaskGraph>,
    folder: &Path,
) -> Result<OrchestratorBuilder, CliError> {
    let agents = agents(cx, models.agents.as_deref())?;
    let mut tools = tools_of(cx, models, &agents, folder)?;
    if models.replayed && !mcp::tool_names(cx, &agents).is_empty() {
        let text = "agents use tools of MCP servers, and a replay starts no server";
        return Err(CliError::new(Exit::Usage, text).code("mcp_server"));
    }
    mcp::add_tools(cx, &agents, folder, &mut tools).await?;
    let mut builder = compose(cx, models, agents, tools)?;
    for name in graph.map(models_of_tasks).unwrap_or_default() {
        let provider = models.provider(cx, &name).map_err(|error| CliError {
            message: format!("a task asks for the model {name:?}: {}", error.message),
            ..error
        })?;
        builder = builder.named_model(name, provider);
    }
    Ok(builder)
}

/// The builder for plans that are not run: the tools of servers have their names only.
pub(crate) fn planning(
    cx: &AppContext,
    models: &ModelConfig,
    folder: &Path,
) -> Result<OrchestratorBuilder, CliError> {
    let agents = agents(cx, models.agents.as_deref())?;
    let mut tools = tools_of(cx, models, &agents, folder)?;
    for name in mcp::tool_names(cx, &agents) {
        let named = tools::named(name);
        named_tool(tools.add(named))?;
    }
    compose(cx, models, agents, tools)
}

/// The tools in the box that the settings allow.
fn tools_of(
    cx: &AppContext,
    models: &ModelConfig,
    agents: &AgentCatalog,
    folder: &Path,
) -> Result<Tools, CliError> {
    let mut tools = named_tool(tools::of(folder))?;
    tools::add(cx, models, agents, folder, &mut tools)?;
    Ok(tools)
}

fn named_tool<T>(added: Result<T, ToolError>) -> Result<T, CliError> {
    added.map_err(|error| CliError::new(Exit::Internal, error.to_string()))
}

fn compose(
    cx: &AppContext,
    models: &ModelConfig,
    agents: AgentCatalog,
    tools: Tools,
) -> Result<OrchestratorBuilder, CliError> {
    let mut settings = cx.config.clone();
    if models.is_scripted() {
        // Plans of the scripted model are not cached.
        settings.config.plan_cache = None;
    }
    let default = models.provider(cx, &models.model)?;
    let found = model_problems(&agents).into_result();
    found.map_err(|found| problems::error("the agents", "bad_model", &found))?;
    if !models.replayed {
        check_programs(cx, models, &agents)?;
    }
    let mut builder = base_builder(cx)
        .settings(settings)
        .model(Arc::clone(&default))
        .tools(tools)
        // A model that cannot write a plan can often do the work.
        .fallback_plan(FallbackPlan::Routed)
        .prompts(prompts(models)?);
    if let Some(fallback) = &models.fallback {
        builder = builder.fallback_model(models.provider(cx, fallback)?);
    }
    for agent in agents.iter() {
        if let Some(program) = &agent.program {
            builder = secrets_of(program).fold(builder, |builder, (name, value)| {
                builder.secret(name, value)
            });
            continue;
        }
        let Some(name) = &agent.model else { continue };
        let provider = if *name == models.model {
            Arc::clone(&default)
        } else {
            models.provider(cx, name).map_err(|error| CliError {
                message: format!(
                    "the agent {:?} asks for a model: {}",
                    agent.name, error.message
                ),
                ..error
            })?
        };
        builder = builder.named_model(name, provider);
    }
    Ok(builder.agents(agents))
}

/// Refuses agents that are programs if this user has not chosen their folder: the folder of a stored run comes from
/// its database, which may be that of somebody else.
fn check_programs(
    cx: &AppContext,
    models: &ModelConfig,
    agents: &AgentCatalog,
) -> Result<(), CliError> {
    let program = agents.iter().find(|agent| agent.program.is_some());
    let (Some(agent), Some(folder)) = (program, &models.agents) else {
        return Ok(());
    };
    let folder = project::canonical(folder);
    // The settings have it from a flag, a variable, the user's file or a trusted project.
    let set = cx.config().agents.as_deref().map(project::canonical);
    if set.as_ref() == Some(&folder) {
        // A project is asked about again after each change, so what it sets is not remembered.
        if cx.config.layer_of("agents") == Some(Layer::ProjectFile) {
            return Ok(());
        }
        return Trust::update(|trust| trust.agents.extend([folder]));
    }
    if Trust::load()?.agents.contains(&folder) {
        return Ok(());
    }
    let text = format!(
        "the agent {:?} of {} is a program, and you have not chosen that folder",
        agent.name,
        zeph_common::escape_terminal(&folder.display().to_string())
    );
    Err(CliError::new(Exit::Usage, text)
        .code("not_trusted")
        .help("--agents with that folder chooses it"))
}

/// The variables that a program of an agent gets by name: each may be a key.
fn secrets_of(program: &AgentProgram) -> impl Iterator<Item = (String, String)> {
    let names = program
        .pass_env
        .iter()
        .filter(|name| !is_basic_variable(name));
    names.filter_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.trim().is_empty()).then(|| (name.clone(), value))
    })
}

/// The built-in prompts, or those of a folder.
fn prompts(models: &ModelConfig) -> Result<Prompts, CliError> {
    let Some(folder) = &models.prompts else {
        return Ok(Prompts::built_in());
    };
    Prompts::from_folder(folder).map_err(|defects| {
        CliError::new(Exit::Usage, defects.to_string())
            .code("bad_prompts")
            .help("correct the files, or remove them from the folder")
    })
}

/// The definitions of a folder; none without one.
pub(crate) fn agents(cx: &AppContext, folder: Option<&Path>) -> Result<AgentCatalog, CliError> {
    let Some(folder) = folder else {
        return Ok(AgentCatalog::new());
    };
    let reader = AgentReader::new()
        .known_tools(tools::names(cx))
        .missing_tools(tools::missing(cx))
        .known_servers(cx.config().mcp.keys().map(String::as_str));
    reader.read_dir(folder).map_err(|found| {
        let what = format!("the folder {}", folder.display());
        problems::error(&what, "bad_agents", &found)
            .help("correct the definitions; `zeph agents check` lists their problems")
    })
}

/// The names of the tools that tasks may name: those in the box, and those of servers that agents list.
pub(crate) fn names_of_tools<'a>(cx: &'a AppContext, agents: &'a AgentCatalog) -> Vec<&'a str> {
    let mut names = tools::names(cx);
    names.extend(mcp::tool_names(cx, agents));
    names
}

/// Warns of secrets that are too short to be redacted: the orchestrator's, and those given for a run.
pub(crate) fn warn_unredacted<'a>(
    orchestrator: &'a Orchestrator,
    given: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    for name in orchestrator.unredacted_secrets(given) {
        let name = zeph_common::escape_terminal(&name);
        out::warn(format!(
            "the secret {name} is too short to be redacted and may appear in logs and stored output"
        ));
    }
}
