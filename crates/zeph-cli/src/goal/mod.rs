//! `zeph do`: from a goal to an answer: plan, confirm, run, put together.

pub(crate) mod answer;
pub(crate) mod confirm;
pub(crate) mod plan;
pub(crate) mod shown;

use std::path::Path;

use zeph_graph::TaskGraph;
use zeph_planfile::RunValues;
use zeph_planner::goal_graph;

use crate::args::DoArgs;
use crate::cx::Cx;
use crate::exit::{CliError, Exit};
use crate::llm::{self, Setup};
use crate::out;
use crate::plan as file;
use crate::run::{self, Beginning, Manner};

pub(crate) async fn run(cx: &Cx, args: &DoArgs) -> Result<Exit, CliError> {
    let goal = goal_of(&args.goal)?;
    let name = run::name(args.name.as_deref())?;
    let setup = Setup::of(cx, args.scripted)?;
    let graph = TaskGraph::try_from(goal_graph(goal, !args.yes));
    let mut graph = graph.map_err(|error| CliError::new(Exit::Internal, error.to_string()))?;
    let folder = file::folder_of(Path::new("-"))?;
    if let Some(folder) = &folder {
        let text = file::text_of(folder)?.to_owned();
        graph.metadata_mut().insert(run::FOLDER.to_owned(), text);
    }
    graph.metadata_mut().extend(setup.metadata());
    let manner = Manner {
        is_kept: !args.no_db,
        is_interactive: !cx.json() && out::is_interactive(),
        grace: cx.config().suspend_grace,
        channel: llm::channel(&graph),
        ..Manner::default()
    };
    let beginning = Beginning {
        graph,
        policy: run::policy(cx, None),
        title: goal.to_owned(),
        values: RunValues::default(),
        folder,
        setup: Some(setup),
    };
    run::begin(cx, beginning, name, manner).await
}

/// The goal as it was typed, if it says anything.
fn goal_of(text: &str) -> Result<&str, CliError> {
    let goal = text.trim();
    if goal.is_empty() {
        return Err(CliError::new(Exit::Usage, "the goal is empty")
            .code("no_goal")
            .help("say what is to be reached, as in zeph do \"Summarise the open issues\""));
    }
    Ok(goal)
}
