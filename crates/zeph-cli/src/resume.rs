//! `zeph resume`: what was kept, what was interrupted, and then on to the end.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use zeph_common::escape_terminal;
use zeph_graph::{AskWhy, Effect, Fault, RunId, RunState, TaskState};
use zeph_memory::{ListQuery, RawGraphStore};
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::{RunHandle, RunView, RuntimeError};

use crate::args::ResumeArgs;
use crate::cx::Cx;
use crate::exit::{CliError, Exit};
use crate::llm;
use crate::out::{self, Channel, Tone};
use crate::run::{self, Follow, Manner};

/// The interrupted tasks that are told by name.
const SHOWN: usize = 20;

pub(crate) async fn run(cx: &Cx, args: &ResumeArgs) -> Result<Exit, CliError> {
    let began = Instant::now();
    let store = cx.open_existing_store().await?;
    let signals = run::listen()?;
    let (view, handle) = open(cx, &store, args).await?;
    let channel = llm::channel(view.graph());
    tell(cx, &view, channel, args.rerun_interrupted);
    if args.rerun_interrupted {
        for open in view.scheduler.questions() {
            if open.why == AskWhy::Failure(Fault::Interrupted) {
                // It may have been answered from elsewhere in the meantime.
                let _ = handle.answer(open.id.get(), "retry").await;
            }
        }
    }
    let follow = Follow {
        handle,
        store: Arc::new(store),
        manner: Manner {
            is_kept: true,
            is_interactive: !cx.json() && out::is_interactive(),
            reruns_interrupted: args.rerun_interrupted,
            grace: view.scheduler.policy().suspend_grace,
            channel,
            ..Manner::default()
        },
        signals,
        ended: view.scheduler.counts().ended(),
        told_up_to: view.entries.last().map_or(0, |entry| entry.seq.get()),
    };
    follow.finish(cx, began).await
}

async fn open(
    cx: &Cx,
    store: &SqliteStore,
    args: &ResumeArgs,
) -> Result<(RunView, RunHandle), CliError> {
    if let Some(text) = &args.run {
        let run = cx.find_run(store, text).await?;
        return try_open(cx, store, args, &run)
            .await
            .map_err(CliError::from);
    }
    let query = ListQuery {
        open: Some(true),
        ..ListQuery::default()
    };
    let mut elsewhere = 0;
    for row in store.list(query).await? {
        match try_open(cx, store, args, &row.run).await {
            Err(Refusal::Runtime(RuntimeError::OwnedElsewhere { .. })) => elsewhere += 1,
            // It ended, or was deleted, between our look and our call.
            Err(Refusal::Runtime(RuntimeError::AlreadyEnded { .. })) => {}
            other => return other.map_err(CliError::from),
        }
    }
    let text = match elsewhere {
        0 => "there is no run to resume".to_owned(),
        1 => "the only open run is at work in another process".to_owned(),
        many => format!("all {many} open runs are at work in other processes"),
    };
    Err(CliError::new(Exit::Usage, text)
        .code("nothing_to_resume")
        .help("`zeph list` shows the runs"))
}

/// Why a run cannot be resumed here.
enum Refusal {
    Runtime(RuntimeError),
    Cli(CliError),
}

impl From<Refusal> for CliError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Runtime(error) => error.into(),
            Refusal::Cli(error) => error,
        }
    }
}

async fn try_open(
    cx: &Cx,
    store: &SqliteStore,
    args: &ResumeArgs,
    run: &RunId,
) -> Result<(RunView, RunHandle), Refusal> {
    let view = RunView::load(store, run).await.map_err(Refusal::Runtime)?;
    let planned = view.scheduler.policy().max_parallel.get();
    let max_parallel = match args.max_parallel {
        Some(_) => cx.config().max_parallel,
        None => planned,
    };
    let work = run::work_of(cx, &view, max_parallel, &args.param).map_err(Refusal::Cli)?;
    let shared: Arc<dyn RawGraphStore> = Arc::new(store.clone());
    let engine = cx.engine(shared, work, Some(cx.owners(store))).await;
    let engine = engine.map_err(Refusal::Cli)?;
    let handle = engine.resume(run).await.map_err(Refusal::Runtime)?;
    Ok((view, handle))
}

/// Says what was kept, and what becomes of what was interrupted.
fn tell(cx: &Cx, view: &RunView, channel: Channel, reruns: bool) {
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
        (Effect::AtMostOnce, true) => "runs again, as you said (at_most_once)",
        (Effect::AtMostOnce, false) => "not repeated unasked (at_most_once)",
    }
}
