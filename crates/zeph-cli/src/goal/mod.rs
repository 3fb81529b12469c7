//! `zeph do`: from a goal to an answer: plans, confirms, runs, and combines the results.

pub(crate) mod plan;
pub(crate) mod shown;

use std::path::PathBuf;

use zeph_orchestration::{Confirm, RunSpec};

use crate::args::DoArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::Channel;
use crate::run::{self, FollowOptions};

pub(crate) async fn run(cx: &AppContext, args: &DoArgs) -> Result<Exit, CliError> {
    let goal = goal_of(&args.goal)?;
    let start = &args.start;
    let models = ModelConfig::from_settings(cx, start.scripted)?;
    let folder = current_folder()?;
    let options = FollowOptions {
        is_kept: !start.no_db,
        channel: Channel::new(true, start.scripted),
        ..FollowOptions::new(cx)
    };
    let confirm = if args.yes {
        Confirm::Never
    } else {
        Confirm::Ask
    };
    let builder = llm::with_models(cx, &models, &folder)?.confirm(confirm);
    let spec = RunSpec::goal(goal).folder(folder);
    let name = run::name(start.name.as_deref())?;
    run::begin(cx, builder, spec, name, Some(&models), options).await
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
