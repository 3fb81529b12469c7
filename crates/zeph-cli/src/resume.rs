//! `zeph resume`: lists completed and interrupted tasks, and continues the run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use crate::store::Database;
use serde_json::json;
use zeph_common::escape_terminal;
use zeph_graph::{Effect, RunId, RunState, TaskGraph, TaskState};
use zeph_memory::{ListQuery, RawGraphStore as _};
use zeph_orchestration::Orchestrator;
use zeph_orchestration::plan::needs_model;
use zeph_runtime::{RunHandle, RunView, RuntimeError};

use crate::args::{OrphansDo, ResumeArgs};
use crate::context::{AppContext, command, find_run};
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::orphans::{self, Orphan};
use crate::out::{self, Channel, Tone};
use crate::plan::{self, Params};
use crate::run::{self, FollowOptions};

/// The code of the error for a run that another process owns.
const OWNED: &str = "owned_elsewhere";
/// The code of the error that the process of a run does not reply.
const UNREACHABLE: &str = "unreachable";
/// The interrupted tasks that are listed by name.
const SHOWN: usize = 20;

pub(crate) async fn run(cx: &AppContext, args: &ResumeArgs) -> Result<Exit, CliError> {
    let began = Instant::now();
    // A person may have to type a secret: signals end that, and suspend only the run.
    let params = Params::read(&args.params).await?;
    run::junit::prepare(args.reports.junit.as_deref())?;
    let store = cx.open_existing_store().await?;
    let signals = run::listen()?;
    let Taken {
        view,
        interrupted,
        orchestrator,
        handle,
    } = open(cx, &store, args, &params).await?;
    let channel = llm::channel(view.graph());
    render(cx, &view, channel, &interrupted, args.unpause);
    if args.unpause {
        handle.unpause().await?;
    }
    let mut follower = orchestrator.follow(handle);
    if args.rerun_interrupted {
        follower = follower.rerun_interrupted();
    }
    let options = FollowOptions {
        grace: view.scheduler.policy().suspend_grace,
        channel,
        junit: args.reports.junit.clone(),
        orphans: interrupted
            .into_iter()
            .filter_map(|one| one.orphan)
            .collect(),
        ..FollowOptions::new(cx)
    };
    let before = Some(&view);
    run::finish(cx, &orchestrator, follower, options, signals, before, began).await
}

/// A run that this process has taken over.
struct Taken {
    /// The run as it was before.
    view: RunView,
    interrupted: Vec<Interrupted>,
    orchestrator: Orchestrator,
    handle: RunHandle,
}

/// Chooses a run by its journal, and takes it over.
async fn open(
    cx: &AppContext,
    store: &Database,
    args: &ResumeArgs,
    params: &Params,
) -> Result<Taken, CliError> {
    if let Some(text) = &args.run {
        let run = find_run(store, Some(text), None).await?;
        return load_and_take_over(cx, store, &run, params, args).await;
    }
    let query = ListQuery {
        open: Some(true),
        ..ListQuery::default()
    };
    let mut passed_over: Vec<(RunId, CliError)> = Vec::new();
    // The epochs of owners that do not reply: each is waited for once.
    let mut unresponsive = BTreeSet::new();
    for row in store.list(query).await? {
        if unresponsive.contains(&row.epoch) {
            let error = CliError::new(Exit::Store, "its process does not reply");
            passed_over.push((row.run, error.code(UNREACHABLE)));
            continue;
        }
        // A process can hold its lock after it has suspended a run: only the attempt to take the run over
        // tells who owns it.
        match load_and_take_over(cx, store, &row.run, params, args).await {
            Ok(taken) => {
                report_passed_over(&passed_over);
                return Ok(taken);
            }
            Err(error) if error.code == UNREACHABLE => {
                unresponsive.insert(row.epoch);
                passed_over.push((row.run, error));
            }
            // Another process ended it meanwhile.
            Err(error) if error.code == "already_ended" => {}
            // Its secrets, folder or model are missing, another process owns it, or it is damaged; an older run
            // may be free and sound, and need none of them.
            Err(error)
                if error.exit == Exit::Usage || error.code == OWNED || error.code == "damaged" =>
            {
                passed_over.push((row.run, error));
            }
            Err(error) => return Err(error),
        }
    }
    Err(none_resumed(passed_over))
}

fn report_passed_over(passed_over: &[(RunId, CliError)]) {
    for (run, error) in passed_over {
        let why = escape_terminal(&error.message);
        out::warn(format!("run {run} is not resumed: {why}"));
    }
}

/// The error for the newest run that a person can do something about; the others are warnings.
fn none_resumed(mut passed_over: Vec<(RunId, CliError)>) -> CliError {
    let is_missing =
        |(_, error): &(RunId, CliError)| error.code != OWNED && error.code != UNREACHABLE;
    if let Some(index) = passed_over.iter().position(is_missing) {
        let (run, mut error) = passed_over.remove(index);
        report_passed_over(&passed_over);
        error.message = format!("run {run} is not resumed: {}", error.message);
        return error;
    }
    let text = match &*passed_over {
        [] => "there is no run to resume".to_owned(),
        [(run, error)] => format!(
            "the only open run, {run}, is not resumed: {}",
            error.message
        ),
        many => {
            report_passed_over(many);
            format!("all {} open runs are owned by other processes", many.len())
        }
    };
    let error = CliError::new(Exit::Usage, text).code("nothing_to_resume");
    error.help(match passed_over.first() {
        Some((run, _)) => format!(
            "`{}` shows what it does; `{}` ends its work there, so that it can be resumed here",
            command(&["watch", run.as_str()]),
            command(&["suspend", run.as_str()])
        ),
        None => format!("`{}` shows the runs", command(&["list"])),
    })
}

async fn load_and_take_over(
    cx: &AppContext,
    store: &Database,
    run: &RunId,
    params: &Params,
    args: &ResumeArgs,
) -> Result<Taken, CliError> {
    let view = RunView::load(store, run).await?;
    // The processes of interrupted attempts are looked for before new attempts change what they wait for.
    let mut interrupted = interrupted(store, &view, args.rerun_interrupted).await?;
    match take_over(cx, store, &view, params, (&mut interrupted, args.orphans)).await {
        Ok((orchestrator, handle)) => Ok(Taken {
            view,
            interrupted,
            orchestrator,
            handle,
        }),
        // What is missing here does not matter while another process works on the run.
        Err(error)
            if error.exit == Exit::Usage && view.scheduler.state() != RunState::Suspended =>
        {
            let run = run.clone();
            match cx.owner_of(store, &run).await? {
                Some(owner) => Err(RuntimeError::OwnedElsewhere { run, owner }.into()),
                None => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

async fn take_over(
    cx: &AppContext,
    store: &Database,
    view: &RunView,
    params: &Params,
    (interrupted, orphans): (&mut [Interrupted], Option<OrphansDo>),
) -> Result<(Orchestrator, RunHandle), CliError> {
    let is_open = |id| !view.scheduler.task(id).state().is_end();
    let models = needs_model(view.graph(), is_open);
    let models = models.then(|| ModelConfig::stored(cx, view.graph()));
    let builder = run::builder(cx, models.transpose()?.as_ref(), view.graph()).await?;
    let secrets = plan::secrets_of(view.graph(), &params.values)?;
    let builder = builder.withhold(params.variables_of(secrets.keys().map(String::as_str)));
    let orchestrator = store.of(builder).build()?;
    // What a process works on has no orphans.
    if cx.owner_of(store, &view.run).await?.is_none() {
        let alive: Vec<&Orphan> = interrupted
            .iter()
            .filter_map(|one| one.orphan.as_ref())
            .collect();
        let can_ask = !cx.json() && out::is_interactive();
        orphans::settle(&alive, orphans, can_ask, cx.config().cancel_grace).await?;
    }
    for one in interrupted {
        one.orphan = one.orphan.take().filter(|orphan| orphan.group.is_alive());
    }
    let handle = orchestrator.open(view, &secrets).await?;
    let given = secrets.iter().map(|(name, value)| (&**name, &**value));
    llm::warn_unredacted(&orchestrator, given);
    Ok((orchestrator, handle))
}

/// A task whose attempt was interrupted.
struct Interrupted {
    task: String,
    then: &'static str,
    /// The processes of the attempt, if they are still alive.
    orphan: Option<Orphan>,
}

async fn interrupted(
    store: &Database,
    view: &RunView,
    reruns: bool,
) -> Result<Vec<Interrupted>, CliError> {
    let mut interrupted = Vec::new();
    for (id, task) in view.graph().tasks() {
        let (TaskState::Running { attempt, .. } | TaskState::Canceling { attempt, .. }) =
            view.scheduler.task(id).state()
        else {
            continue;
        };
        interrupted.push(Interrupted {
            task: task.name().to_owned(),
            then: rerun_words(task.rules().effect, reruns),
            orphan: Orphan::of(store, view, id, attempt).await?,
        });
    }
    Ok(interrupted)
}

/// Prints the completed work that is kept, and what happens to interrupted tasks.
fn render(
    cx: &AppContext,
    view: &RunView,
    channel: Channel,
    interrupted: &[Interrupted],
    unpauses: bool,
) {
    let counts = view.scheduler.counts();
    if cx.json() {
        let interrupted: Vec<_> = (interrupted.iter())
            .map(|one| {
                let group = one.orphan.as_ref().map(|orphan| orphan.group.id);
                json!({ "task": one.task, "then": one.then, "alive_process_group": group })
            })
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
    let kept = [
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.canceled, "canceled"),
    ];
    let kept = kept.into_iter().filter(|(count, _)| *count > 0);
    let kept: String = kept
        .map(|(count, word)| format!(", {count} {word}"))
        .collect();
    channel.line(format!(
        "{} run {}: {} completed{kept} and kept, {left} to go",
        Tone::Good.paint("resuming"),
        view.run,
        counts.completed,
    ));
    if let Some(name) = changed_plan(view) {
        channel.line(format!(
            "  {} {} has changed since; the run keeps the plan that it began with",
            Tone::Warning.paint("plan"),
            escape_terminal(&name)
        ));
    }
    for one in interrupted.iter().take(SHOWN) {
        channel.line(format!(
            "  {} {}: {}",
            Tone::Warning.paint("interrupted"),
            escape_terminal(&one.task),
            one.then
        ));
    }
    for one in interrupted {
        if let Some(Orphan { attempt, group, .. }) = &one.orphan {
            channel.line(format!(
                "  {} attempt {attempt} of {} may still be running as process group {id}; `kill -- -{id}` ends it",
                Tone::Warning.paint("alive"),
                escape_terminal(&one.task),
                id = group.id,
            ));
        }
    }
    if interrupted.len() > SHOWN {
        channel.line(format!("  … and {} more", interrupted.len() - SHOWN));
    }
    if view.scheduler.is_paused() && !unpauses {
        channel.line(format!(
            "  {} nothing new starts until `{}`; `{}` does both",
            Tone::Warning.paint("paused"),
            command(&["unpause", view.run.as_str()]),
            command(&["resume", view.run.as_str(), "--unpause"])
        ));
    }
}

/// The name of the run's plan file, or of a file that it names, if its text is not the one that the run began
/// with.
fn changed_plan(view: &RunView) -> Option<String> {
    let metadata = view.graph().metadata();
    let (name, folder) = (metadata.get("plan")?, metadata.get(TaskGraph::FOLDER)?);
    let path = Path::new(folder).join(Path::new(name).file_name()?);
    if is_changed(&path, metadata.get("plan_hash")?) {
        return Some(name.clone());
    }
    let files = metadata.get("plan_files")?;
    let files: BTreeMap<String, String> = serde_json::from_str(files).ok()?;
    let mut files = files.into_iter();
    let (path, _) = files.find(|(path, hash)| is_changed(Path::new(path), hash))?;
    Some(path)
}

/// Whether a file is there and has another hash. The hash of a plan is that of its lines, whatever their ends
/// are.
fn is_changed(path: &Path, hash: &str) -> bool {
    // The path is from the database, which may be another user's: only a file is read, and not without end.
    let is_plan = std::fs::metadata(path).is_ok_and(|file| {
        file.is_file() && file.len() <= zeph_orchestration::planfile::MAX_PLAN_BYTES as u64
    });
    let is_same = |bytes: &[u8]| blake3::hash(bytes).to_hex().as_str() == hash;
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    is_plan
        && std::fs::read(path)
            .is_ok_and(|bytes| !is_same(&bytes) && !is_same(lines(&bytes).as_bytes()))
}

/// What happens to an interrupted task.
const fn rerun_words(effect: Effect, reruns: bool) -> &'static str {
    match (effect, reruns) {
        (Effect::Pure, _) => "runs again (pure)",
        (Effect::Idempotent, _) => "runs again (idempotent)",
        (Effect::AtMostOnce, true) => "runs again, as --rerun-interrupted says (at_most_once)",
        (Effect::AtMostOnce, false) => "a person is asked before it runs again (at_most_once)",
    }
}
