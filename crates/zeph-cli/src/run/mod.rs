//! `zeph run`: a plan, from its file to its end.

mod confirm;
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

use zeph_common::escape_terminal;
use zeph_graph::{Budget, OverBudget, Policy, RunId, TaskGraph};
use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_planfile::{BoundPlan, RunValues};
use zeph_runtime::{Owners, RunHandle, RunView, Submission};

use crate::args::RunArgs;
use crate::cx::{Cx, Work};
use crate::exit::{CliError, Exit};
use crate::llm::{self, Models, PLAYED, Setup};
use crate::out::{self, Channel};
use crate::plan::{self, Loaded};

pub(crate) use session::Manner;
use session::Session;
use signals::Signals;
pub(crate) use signals::listen;
use view::View;

pub(crate) async fn run(cx: &Cx, args: &RunArgs) -> Result<Exit, CliError> {
    let loaded = plan::load(cx, &args.plan, &args.param)?;
    if args.dry_run {
        let parallel = policy(cx, Some(&loaded.bound)).max_parallel;
        dry::show(cx, &loaded, parallel);
        return Ok(Exit::Completed);
    }
    let name = name(args.name.as_deref())?;
    let manner = Manner {
        is_kept: !args.no_db,
        is_interactive: !cx.json() && out::is_interactive(),
        grace: cx.config().suspend_grace,
        channel: Channel {
            to_stderr: false,
            label: if args.scripted { PLAYED } else { "" },
        },
        ..Manner::default()
    };
    start(cx, loaded, name, manner, args.scripted).await
}

/// The name of a run, as a person gives it.
pub(crate) fn name(text: Option<&str>) -> Result<Option<RunId>, CliError> {
    let name = text.map(str::parse::<RunId>).transpose();
    name.map_err(|error| CliError::new(Exit::Usage, error.to_string()))
}

/// Runs a loaded plan to its end, or to rest.
pub(crate) async fn start(
    cx: &Cx,
    loaded: Loaded,
    name: Option<RunId>,
    manner: Manner,
    scripted: bool,
) -> Result<Exit, CliError> {
    let policy = policy(cx, Some(&loaded.bound));
    let asks = llm::needs_model(&loaded.graph, |_| true);
    let beginning = Beginning {
        setup: asks.then(|| Setup::of(cx, scripted)).transpose()?,
        title: match loaded.bound.goal() {
            "" => loaded.name.clone(),
            goal => goal.to_owned(),
        },
        values: loaded.bound.run_values().clone(),
        graph: loaded.graph,
        folder: loaded.folder,
        policy,
    };
    begin(cx, beginning, name, manner).await
}

/// What a new run is made of.
pub(crate) struct Beginning {
    pub(crate) graph: TaskGraph,
    pub(crate) policy: Policy,
    pub(crate) title: String,
    pub(crate) values: RunValues,
    pub(crate) folder: Option<PathBuf>,
    /// What tasks that ask a model need; none if no task does.
    pub(crate) setup: Option<Setup>,
}

/// Begins a run and follows it to its end, or to rest.
pub(crate) async fn begin(
    cx: &Cx,
    beginning: Beginning,
    name: Option<RunId>,
    manner: Manner,
) -> Result<Exit, CliError> {
    let began = Instant::now();
    let Beginning {
        mut graph,
        policy,
        title,
        values,
        folder,
        setup,
    } = beginning;
    if let Some(setup) = &setup {
        graph.metadata_mut().extend(setup.metadata());
    }
    let work = Work {
        folder,
        values,
        max_parallel: policy.max_parallel.get(),
        models: setup.map(|setup| Models {
            setup,
            seed: policy.seed,
            counts_money: policy.budget.micro_usd != u64::MAX,
        }),
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
    let mut submission = Submission::new(graph).policy(policy).title(title);
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
pub(crate) const FOLDER: &str = "plan_folder";

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
            View::new(cx, manner.channel),
            signals,
            ended,
        );
        let session = session.hinting(cx.suffix());
        let followed = Box::pin(session.told_up_to(told_up_to).follow(events)).await?;
        end::tell(cx, &*store, &followed, manner, began.elapsed()).await
    }
}

/// The limits of a run: a flag or a variable goes before the plan, the plan before the files.
pub(crate) fn policy(cx: &Cx, plan: Option<&BoundPlan>) -> Policy {
    let config = cx.config();
    let configured = NonZeroU32::new(config.max_parallel).unwrap_or(NonZeroU32::MIN);
    let planned = plan.and_then(BoundPlan::max_parallel);
    let planned = planned.filter(|_| !cx.is_told("max_parallel"));
    Policy {
        max_parallel: planned.unwrap_or(configured),
        // The keys of a new hasher are random; no more is needed to spread retries.
        seed: RandomState::new().build_hasher().finish(),
        run_timeout: plan.and_then(BoundPlan::timeout).or(config.run_timeout),
        cancel_grace: config.cancel_grace,
        suspend_grace: config.suspend_grace,
        budget: budget(cx, plan.and_then(BoundPlan::budget)),
        over_budget: match plan.and_then(BoundPlan::over_budget) {
            Some(planned) if !cx.is_told("budget.over") => planned,
            Some(_) | None => match config.budget.over {
                zeph_config::OverBudget::Ask => OverBudget::Ask,
                zeph_config::OverBudget::Partial => OverBudget::Partial,
            },
        },
    }
}

/// Each limit by itself, since a plan may say one and a flag the other.
fn budget(cx: &Cx, planned: Option<Budget>) -> Budget {
    let config = &cx.config().budget;
    let pick = |key: &str, planned: Option<u64>, set: Option<u64>| {
        let planned = planned.filter(|limit| *limit != u64::MAX && !cx.is_told(key));
        planned.or(set).unwrap_or(u64::MAX)
    };
    Budget {
        tokens: pick(
            "budget.tokens",
            planned.map(|one| one.tokens),
            config.tokens,
        ),
        micro_usd: pick("budget.usd", planned.map(|one| one.micro_usd), config.usd),
    }
}

/// Where a stored run's commands run, and what its expressions need.
pub(crate) fn work_of(
    cx: &Cx,
    view: &RunView,
    max_parallel: u32,
    secrets: &[String],
) -> Result<Work, CliError> {
    let graph = view.graph();
    let mut values = RunValues::of_graph(graph)
        .map_err(|error| CliError::new(Exit::Store, error.to_string()).code("damaged"))?;
    for (name, value) in plan::given(secrets)? {
        values = values.secret(name, value);
    }
    let missing: Vec<&str> = values.missing_secrets().collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|name| escape_terminal(name)).collect();
        let text = format!("the plan's secrets are not stored: {}", names.join(", "));
        return Err(CliError::new(Exit::Usage, text)
            .code("missing_secret")
            .help(format!("give them again, as in -p {}=…", names[0])));
    }
    let folder = graph.metadata().get(FOLDER).map(PathBuf::from);
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        let shown = folder.display().to_string();
        let text = format!(
            "the folder of the plan is gone: {}",
            escape_terminal(&shown)
        );
        return Err(CliError::new(Exit::Usage, text)
            .code("no_folder")
            .help("put it back: the run's commands run in it"));
    }
    let is_open = |id| !view.scheduler.task(id).state().is_end();
    let asks = llm::needs_model(graph, is_open);
    let setup = asks.then(|| Setup::stored(cx, graph)).transpose()?;
    Ok(Work {
        folder,
        values,
        max_parallel,
        models: setup.map(|setup| Models {
            setup,
            seed: view.scheduler.policy().seed,
            counts_money: view.scheduler.budget().micro_usd != u64::MAX,
        }),
    })
}
