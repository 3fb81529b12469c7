//! `zeph run`: a plan, from its file to its end.

mod end;
mod live;
mod narrate;
pub(crate) mod prompt;
mod session;
mod signals;
mod view;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use zeph_config::Origin;
use zeph_graph::{Policy, RunId, TaskGraph, picture};
use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_planfile::RunValues;
use zeph_runtime::{Owners, RunHandle, Submission};

use crate::args::RunArgs;
use crate::cx::{Cx, Work};
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};
use crate::plan::{self, Loaded};
use crate::validate;

pub(crate) use session::Manner;
use session::Session;
use signals::Signals;
pub(crate) use signals::listen;
use view::View;

pub(crate) async fn run(cx: &Cx, args: &RunArgs) -> Result<Exit, CliError> {
    let loaded = plan::load(cx, &args.plan, &args.param)?;
    if args.dry_run {
        dry_run(cx, &loaded);
        return Ok(Exit::Completed);
    }
    let name = args.name.as_deref().map(str::parse::<RunId>).transpose();
    let name = name.map_err(|error| CliError::new(Exit::Usage, error.to_string()))?;
    let manner = Manner {
        is_kept: !args.no_db,
        is_interactive: !cx.json() && out::is_interactive(),
        grace: cx.config().suspend_grace,
        ..Manner::default()
    };
    start(cx, loaded, name, manner).await
}

/// Runs a loaded plan to its end, or to rest.
pub(crate) async fn start(
    cx: &Cx,
    loaded: Loaded,
    name: Option<RunId>,
    manner: Manner,
) -> Result<Exit, CliError> {
    let began = Instant::now();
    let policy = policy(cx, &loaded);
    let work = Work {
        folder: loaded.folder,
        values: loaded.bound.run_values().clone(),
        max_parallel: policy.max_parallel.get(),
    };
    let (store, owners): (Arc<dyn RawGraphStore>, Option<Owners>) = if manner.is_kept {
        let store = cx.open_store().await?;
        let owners = cx.owners(&store);
        (Arc::new(store), Some(owners))
    } else {
        (Arc::new(MemoryStore::new()), None)
    };
    // From here on a signal is a wish, not a kill.
    let signals = listen()?;
    let engine = cx.engine(Arc::clone(&store), work, owners).await?;
    let title = match loaded.bound.goal() {
        "" => loaded.name.clone(),
        goal => goal.to_owned(),
    };
    let mut submission = Submission::new(loaded.graph).policy(policy).title(title);
    if let Some(name) = name {
        submission = submission.name(name);
    }
    let handle = engine.submit(submission).await?;
    let follow = Follow {
        handle,
        store,
        manner,
        signals,
        ended: 0,
        told_up_to: 0,
    };
    follow.to_the_end(cx, began).await
}

/// A run that was started or resumed here.
pub(crate) struct Follow {
    pub(crate) handle: RunHandle,
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) manner: Manner,
    pub(crate) signals: Signals,
    /// How many tasks had ended before.
    pub(crate) ended: u32,
    /// The last record that was there before.
    pub(crate) told_up_to: u64,
}

impl Follow {
    /// Shows what happens, and at last how it ended.
    pub(crate) async fn to_the_end(self, cx: &Cx, began: Instant) -> Result<Exit, CliError> {
        let Self { handle, store, manner, signals, ended, told_up_to } = self;
        let Some(events) = handle.events() else {
            return Err(CliError::new(Exit::Internal, "the run left before it could be watched"));
        };
        let session = Session::new(handle, Arc::clone(&store), manner, View::new(cx), signals, ended);
        let session = session.hinting(cx.suffix());
        let followed = Box::pin(session.told_up_to(told_up_to).follow(events)).await?;
        end::tell(cx, &*store, &followed, manner.is_kept, began.elapsed()).await
    }
}

/// The limits of a run: a flag or a variable goes before the plan, the plan before the files.
fn policy(cx: &Cx, loaded: &Loaded) -> Policy {
    let config = cx.config();
    let configured = NonZeroU32::new(config.max_parallel).unwrap_or(NonZeroU32::MIN);
    let is_told = matches!(
        cx.config.origin_of("max_parallel"),
        Some(Origin::Flag { .. } | Origin::Env { .. })
    );
    let planned = loaded.bound.max_parallel().filter(|_| !is_told);
    Policy {
        max_parallel: planned.unwrap_or(configured),
        // The keys of a new hasher are random; no more is needed to spread retries.
        seed: RandomState::new().build_hasher().finish(),
        run_timeout: loaded.bound.timeout().or(config.run_timeout),
        cancel_grace: config.cancel_grace,
        suspend_grace: config.suspend_grace,
    }
}

fn dry_run(cx: &Cx, loaded: &Loaded) {
    let graph = &loaded.graph;
    if cx.json() {
        out::json(&dry_json(loaded));
        return;
    }
    let goal = zeph_common::inert(loaded.bound.goal());
    if !goal.is_empty() {
        out::line(format!("goal: {goal}"));
    }
    out::text(picture::tree(graph, |_| None));
    out::line("");
    for (_, task) in graph.tasks() {
        out::line(format!("{}: {}", zeph_common::inert(task.name()), what(task)));
    }
    out::line("");
    let parallel = policy(cx, loaded).max_parallel;
    out::line(format!(
        "{} {}, at most {parallel} at a time; nothing was run or stored",
        Tone::Good.paint("ok"),
        validate::size(graph)
    ));
}

/// What a task would do, in a few words.
fn what(task: &zeph_graph::Task) -> String {
    use zeph_graph::Work;
    let text = match task.work() {
        Work::Milestone => "nothing to do, completes when it is ready".to_owned(),
        Work::Question(question) => format!("asks {:?}", zeph_common::inert(&question.text)),
        Work::Action { name, params } => match params.to_value() {
            Ok(params) => command_line(&params).unwrap_or_else(|| name.to_string()),
            Err(_) => name.to_string(),
        },
    };
    let text = zeph_common::truncate(&text, 400).to_string();
    let asks = task.rules().approve.is_some();
    format!("{}{}", if asks { "after approval, " } else { "" }, zeph_common::inert(&text))
}

fn command_line(params: &serde_json::Value) -> Option<String> {
    if let Some(script) = params.get("shell").and_then(serde_json::Value::as_str) {
        return Some(format!("sh -c {}", out::quoted(script)));
    }
    let argv = params.get("argv")?.as_array()?;
    let words = argv.iter().map(|word| out::quoted(word.as_str().unwrap_or_default()));
    Some(words.collect::<Vec<_>>().join(" "))
}

fn dry_json(loaded: &Loaded) -> serde_json::Value {
    let graph: &TaskGraph = &loaded.graph;
    let tasks: Vec<serde_json::Value> = graph
        .tasks()
        .map(|(id, task)| {
            let needs: Vec<&str> = (graph.parents(id).iter())
                .map(|&parent| graph.task(parent).name())
                .collect();
            serde_json::json!({ "task": task.name(), "needs": needs, "does": what(task) })
        })
        .collect();
    serde_json::json!({ "dry_run": true, "goal": loaded.bound.goal(), "tasks": tasks })
}

/// Where a stored run's commands run, and what its expressions need.
pub(crate) fn work_of(
    graph: &TaskGraph,
    max_parallel: u32,
    secrets: &[String],
) -> Result<Work, CliError> {
    let mut values = RunValues::of_graph(graph)
        .map_err(|error| CliError::new(Exit::Store, error.to_string()).code("damaged"))?;
    for (name, value) in plan::given(secrets)? {
        values = values.secret(name, value);
    }
    Ok(Work {
        folder: graph.metadata().get("plan_folder").map(PathBuf::from),
        values,
        max_parallel,
    })
}
