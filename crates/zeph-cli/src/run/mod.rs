//! `zeph run`: a plan, from its file to its end.

mod dry;
mod end;
mod live;
mod narrate;
pub(crate) mod prompt;
mod session;
mod signals;
mod steer;
mod view;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use zeph_common::inert;
use zeph_config::Origin;
use zeph_graph::{Policy, RunId, TaskGraph};
use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_planfile::RunValues;
use zeph_runtime::{Owners, RunHandle, Submission};

use crate::args::RunArgs;
use crate::cx::{Cx, Work};
use crate::exit::{CliError, Exit};
use crate::out;
use crate::plan::{self, Loaded};

pub(crate) use session::Manner;
use session::Session;
use signals::Signals;
pub(crate) use signals::listen;
use view::View;

pub(crate) async fn run(cx: &Cx, args: &RunArgs) -> Result<Exit, CliError> {
    let loaded = plan::load(cx, &args.plan, &args.param)?;
    if args.dry_run {
        let parallel = policy(cx, &loaded).max_parallel;
        dry::show(cx, &loaded, parallel);
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
    follow.finish(cx, began).await
}

/// Where the graph's metadata tell the plan's folder.
const FOLDER: &str = "plan_folder";

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
    pub(crate) async fn finish(self, cx: &Cx, began: Instant) -> Result<Exit, CliError> {
        let Self {
            handle,
            store,
            manner,
            signals,
            ended,
            told_up_to,
        } = self;
        let Some(events) = handle.events() else {
            return Err(CliError::new(
                Exit::Internal,
                "the run left before it could be watched",
            ));
        };
        let session = Session::new(
            handle,
            Arc::clone(&store),
            manner,
            View::new(cx),
            signals,
            ended,
        );
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
        ..Policy::default()
    }
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
    let missing: Vec<&str> = values.missing_secrets().collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|name| inert(name)).collect();
        let text = format!("the plan's secrets are not stored: {}", names.join(", "));
        return Err(CliError::new(Exit::Usage, text)
            .code("missing_secret")
            .help(format!("give them again, as in -p {}=…", names[0])));
    }
    let folder = graph.metadata().get(FOLDER).map(PathBuf::from);
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        let shown = folder.display().to_string();
        let text = format!("the folder of the plan is gone: {}", inert(&shown));
        return Err(CliError::new(Exit::Usage, text)
            .code("no_folder")
            .help("put it back: the run's commands run in it"));
    }
    Ok(Work {
        folder,
        values,
        max_parallel,
    })
}
