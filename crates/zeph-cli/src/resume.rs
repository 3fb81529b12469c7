//! `zeph resume`: lists completed and interrupted tasks, and continues the run.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;
use zeph_common::escape_terminal;
use zeph_graph::{Effect, RunId, RunState, TaskState};
use zeph_memory::{ListQuery, RawGraphStore as _};
use zeph_memory_sqlite::SqliteStore;
use zeph_orchestration::Orchestrator;
use zeph_orchestration::plan::needs_model;
use zeph_runtime::{RunHandle, RunView};

use crate::args::ResumeArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::{self, Channel, Tone};
use crate::plan;
use crate::run::{self, FollowOptions};

/// The interrupted tasks that are listed by name.
const SHOWN: usize = 20;

pub(crate) async fn run(cx: &AppContext, args: &ResumeArgs) -> Result<Exit, CliError> {
    let began = Instant::now();
    let store = cx.open_existing_store().await?;
    let signals = run::listen()?;
    let (view, orchestrator, handle) = open(cx, &store, args).await?;
    let channel = llm::channel(view.graph());
    render(cx, &view, channel, args.rerun_interrupted);
    let mut follower = orchestrator.follow(handle);
    if args.rerun_interrupted {
        follower = follower.rerun_interrupted();
    }
    let options = FollowOptions {
        is_kept: true,
        is_interactive: !cx.json() && out::is_interactive(),
        grace: view.scheduler.policy().suspend_grace,
        channel,
        ..FollowOptions::default()
    };
    let before = Some(&view);
    run::finish(cx, &orchestrator, follower, options, signals, before, began).await
}

/// Chooses a run by its journal, and takes it over.
async fn open(
    cx: &AppContext,
    store: &SqliteStore,
    args: &ResumeArgs,
) -> Result<(RunView, Orchestrator, RunHandle), CliError> {
    let secrets = plan::given(&args.param)?;
    if let Some(text) = &args.run {
        let run = cx.find_run(store, text).await?;
        return load_and_take_over(cx, store, &run, &secrets).await;
    }
    let query = ListQuery {
        open: Some(true),
        ..ListQuery::default()
    };
    let (mut elsewhere, mut blocked) = (0, None);
    let mut passed_over: Vec<(RunId, String)> = Vec::new();
    for row in store.list(query).await? {
        // A process can hold its lock after it has suspended a run: only the attempt to take the run over
        // tells who owns it.
        match load_and_take_over(cx, store, &row.run, &secrets).await {
            Ok(taken) => {
                for (run, why) in &passed_over {
                    warn_passed_over(run, why);
                }
                return Ok(taken);
            }
            Err(error) if error.code == "owned_elsewhere" => {
                passed_over.push((row.run, "another process owns it".to_owned()));
                elsewhere += 1;
            }
            // Another process ended it meanwhile.
            Err(error) if error.code == "already_ended" => {}
            // Its secrets, folder or model are missing; an older run may need none of them.
            Err(error) if error.exit == Exit::Usage => {
                passed_over.push((row.run, error.message.clone()));
                blocked.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    let text = match (blocked, elsewhere) {
        (Some(error), _) => return Err(error),
        (None, 0) => "there is no run to resume".to_owned(),
        (None, 1) => "the only open run is owned by another process".to_owned(),
        (None, many) => format!("all {many} open runs are owned by other processes"),
    };
    Err(CliError::new(Exit::Usage, text)
        .code("nothing_to_resume")
        .help("`zeph list` shows the runs"))
}

/// Reports a newer run that cannot be resumed here, when an older one is resumed.
fn warn_passed_over(run: &RunId, why: &str) {
    out::note_line(format!(
        "{} run {run} is not resumed: {}",
        Tone::Warning.paint("warning:"),
        escape_terminal(why)
    ));
}

async fn load_and_take_over(
    cx: &AppContext,
    store: &SqliteStore,
    run: &RunId,
    secrets: &BTreeMap<String, String>,
) -> Result<(RunView, Orchestrator, RunHandle), CliError> {
    let view = RunView::load(store, run).await?;
    let is_open = |id| !view.scheduler.task(id).state().is_end();
    let models = needs_model(view.graph(), is_open);
    let models = models.then(|| ModelConfig::stored(cx, view.graph()));
    let builder = run::builder(cx, models.transpose()?.as_ref(), view.graph())?;
    let orchestrator = builder.database(store.clone()).build()?;
    llm::warn_unredacted(&orchestrator, None);
    let handle = orchestrator.open(&view, secrets).await?;
    Ok((view, orchestrator, handle))
}

/// Prints the completed work that is kept, and what happens to interrupted tasks.
fn render(cx: &AppContext, view: &RunView, channel: Channel, reruns: bool) {
    let counts = view.scheduler.counts();
    let interrupted: Vec<(&str, &str)> = (view.graph().tasks())
        .filter(|(id, _)| {
            matches!(
                view.scheduler.task(*id).state(),
                TaskState::Running { .. } | TaskState::Canceling { .. }
            )
        })
        .map(|(_, task)| (task.name(), fate(task.rules().effect, reruns)))
        .collect();
    if cx.json() {
        let interrupted: Vec<_> = (interrupted.iter())
            .map(|(task, then)| json!({ "task": task, "then": then }))
            .collect();
        out::json(&channel.marked(json!({
            "event": "resuming",
            "run": view.run.as_str(),
            "kept": counts.completed,
            "tasks": counts.total(),
            "interrupted": interrupted,
        })));
        return;
    }
    let left = counts.total() - counts.ended();
    let mut kept = vec![format!("{} completed", counts.completed)];
    for (count, word) in [
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.canceled, "canceled"),
    ] {
        if count > 0 {
            kept.push(format!("{count} {word}"));
        }
    }
    channel.line(format!(
        "{} run {}: {} and kept, {left} to go",
        Tone::Good.paint("resuming"),
        view.run,
        kept.join(", "),
    ));
    for (task, then) in interrupted.iter().take(SHOWN) {
        channel.line(format!(
            "  {} {}: {then}",
            Tone::Warning.paint("interrupted"),
            escape_terminal(task)
        ));
    }
    if interrupted.len() > SHOWN {
        channel.line(format!("  … and {} more", interrupted.len() - SHOWN));
    }
    if view.scheduler.state() == RunState::Paused {
        channel.line(format!(
            "  {} nothing new starts until `zeph unpause {}`",
            Tone::Warning.paint("paused"),
            view.run
        ));
    }
}

const fn fate(effect: Effect, reruns: bool) -> &'static str {
    match (effect, reruns) {
        (Effect::Pure, _) => "runs again (pure)",
        (Effect::Idempotent, _) => "runs again (idempotent)",
        (Effect::AtMostOnce, true) => "runs again, as --rerun-interrupted says (at_most_once)",
        (Effect::AtMostOnce, false) => "a person is asked before it runs again (at_most_once)",
    }
}
