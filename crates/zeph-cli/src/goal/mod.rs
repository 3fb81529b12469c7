//! `zeph do`: from a goal to an answer: plans, confirms, runs, and combines the results.

pub(crate) mod plan;
pub(crate) mod shown;

use std::path::PathBuf;

use zeph_diagnostics::Diagnostics;
use zeph_graph::TaskGraph;
use zeph_orchestration::plan::{PlanFiles, edited_plan_problems};
use zeph_orchestration::{Confirm, RunSpec};
use zeph_planner::plan::edited_plan;

use crate::args::DoArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::Channel;
use crate::plan as plan_file;
use crate::problems;
use crate::run::{self, FollowOptions};

pub(crate) async fn run(cx: &AppContext, args: &DoArgs) -> Result<Exit, CliError> {
    let goal = goal_of(&args.goal)?;
    let start = &args.start;
    let models = ModelConfig::from_settings(cx, start.scripted)?;
    let folder = current_folder()?;
    let options = FollowOptions {
        is_kept: !start.no_db,
        channel: Channel::new(true, start.scripted),
        junit: start.reports.junit.clone(),
        ..FollowOptions::new(cx)
    };
    if !args.yes && !options.is_kept && !options.is_interactive {
        let text = "the plan must be confirmed, and with --no-db the run could not wait for it";
        return Err(CliError::new(Exit::Usage, text)
            .code("may_ask")
            .help("leave out --no-db, run it at a terminal, or add --yes to run the plan unseen"));
    }
    let confirm = if args.yes {
        Confirm::Never
    } else {
        Confirm::Ask
    };
    if !options.is_kept && !options.is_interactive {
        plan_file::check_unattended(cx, None)?;
    }
    let builder = llm::with_models(cx, &models, None, &folder)
        .await?
        .confirm(confirm);
    let spec = RunSpec::goal(goal).folder(folder);
    let naming = run::Naming::of(start)?;
    run::begin(cx, builder, spec, naming, Some(&models), options).await
}

/// Checks the answer to a question about a plan of a run. `again` is the command that gives a plan file.
pub(crate) fn check_answer(
    cx: &AppContext,
    graph: &TaskGraph,
    text: &str,
    again: &str,
) -> Result<(), CliError> {
    let edited = edited_plan(text).map_err(|why| {
        CliError::new(Exit::Usage, why)
            .code("bad_answer")
            .help(format!(
                "answer \"approve\", \"reject: REASON\", or with a plan file, as in `{again}`"
            ))
    })?;
    let Some(file) = edited else { return Ok(()) };
    let spec = PlanFiles::new(cx.config()).compile(&file);
    let refused = |found: &Diagnostics| {
        let error = problems::error("the plan", "invalid_plan", found);
        error.help(format!("correct the file, then `{again}`"))
    };
    let spec = spec.map_err(|found| refused(&found))?;
    // A run whose models cannot be named has reported it.
    let Ok(models) = ModelConfig::stored(cx, graph) else {
        return Ok(());
    };
    let agents = llm::agents(cx, models.agents.as_deref())?;
    let found = edited_plan_problems(&spec, &agents, &llm::names_of_tools(cx, &agents));
    found.into_result().map_err(|found| refused(&found))
}

/// The current folder, as an absolute path.
fn current_folder() -> Result<PathBuf, CliError> {
    let folder = std::env::current_dir().and_then(|folder| folder.canonicalize());
    folder.map_err(|error| {
        let text = format!("the current folder cannot be found: {error}");
        CliError::new(Exit::Usage, text).code("no_folder")
    })
}

/// The goal without surrounding white space; an error if it is empty.
fn goal_of(text: &str) -> Result<&str, CliError> {
    let goal = text.trim();
    if goal.is_empty() {
        return Err(CliError::new(Exit::Usage, "the goal is empty")
            .code("no_goal")
            .help("describe the goal, as in zeph do \"Summarise the open issues\""));
    }
    Ok(goal)
}
