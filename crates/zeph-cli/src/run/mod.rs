//! `zeph run`: loads a plan file, runs it, and follows the run to its end.

mod confirm;
mod dialog;
pub(crate) mod dry;
pub(crate) mod end;
mod event_line;
mod fold;
mod follow;
mod footer;
mod input;
pub(crate) mod junit;
mod keys;
pub(crate) mod prompt;
mod signals;
mod view;
pub(crate) mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use zeph_common::escape_terminal;
use zeph_graph::{Group, OnConflict, RunId, TaskGraph, UnknownWord};
use zeph_orchestration::plan::{LoadedPlan, needs_model};
use zeph_orchestration::{Follower, Hooks, Orchestrator, OrchestratorBuilder, RunSpec};
use zeph_runtime::RunView;

use crate::args::{GroupArgs, LabelArgs, RunArgs, StartArgs};
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::{self, Channel};
use crate::plan::{self, Params};

use event_line::EventFormatter;
pub(crate) use follow::FollowOptions;
use follow::Session;
pub(crate) use signals::{Signals, listen, survive_file_size_limit};
use view::View;

pub(crate) async fn run(cx: &AppContext, args: &RunArgs) -> Result<Exit, CliError> {
    if args.dry_run {
        let plan = plan::load_to_show(cx, &args.plan, &Params::read(&args.params).await?)?;
        plan::check_agents(cx, cx.config().agents.as_deref(), &plan)?;
        let orchestrator = llm::base_builder(cx).build()?;
        dry::show(
            cx,
            &plan,
            orchestrator.policy_for(Some(&plan))?.max_parallel,
        );
        return Ok(Exit::Completed);
    }
    let params = Params::read(&args.params).await?;
    let mut plan = plan::load(cx, &args.plan, &params)?;
    if args.no_cache {
        set_no_cache(plan.graph.metadata_mut());
    }
    plan::check_agents(cx, cx.config().agents.as_deref(), &plan)?;
    let naming = Naming::of(&args.start)?;
    let options = FollowOptions {
        is_kept: !args.start.no_db,
        channel: Channel::new(false, args.start.scripted),
        junit: args.start.reports.junit.clone(),
        ..FollowOptions::new(cx)
    };
    if !options.is_kept && !options.is_interactive {
        plan::check_unattended(cx, Some(&plan))?;
    }
    let secrets = plan.bound.run_values().given_secrets();
    let withheld = params.variables_of(secrets.map(|(name, _)| name));
    start(cx, plan, naming, options, args.start.scripted, withheld).await
}

/// Parses the name of a run from a flag.
pub(crate) fn name(text: Option<&str>) -> Result<Option<RunId>, CliError> {
    let name = text.map(str::parse::<RunId>).transpose();
    name.map_err(|error| CliError::new(Exit::Usage, error.to_string()))
}

/// The name, the labels and the group of a new run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naming {
    pub(crate) name: Option<RunId>,
    labels: LabelArgs,
    group: GroupArgs,
}

impl Naming {
    pub(crate) fn of(args: &StartArgs) -> Result<Self, CliError> {
        Ok(Self {
            name: name(args.name.as_deref())?,
            labels: args.labels.clone(),
            group: args.group.clone(),
        })
    }
}

impl From<RunId> for Naming {
    fn from(name: RunId) -> Self {
        Self {
            name: Some(name),
            labels: LabelArgs::default(),
            group: GroupArgs::default(),
        }
    }
}

/// Lets a new run look for no result in the cache.
pub(crate) fn set_no_cache(metadata: &mut BTreeMap<String, String>) {
    metadata.insert(TaskGraph::NO_CACHE.to_owned(), "true".to_owned());
}

/// Sets the labels of a new run. The command line has checked them.
pub(crate) fn set_labels(
    metadata: &mut BTreeMap<String, String>,
    labels: &LabelArgs,
) -> Result<(), CliError> {
    for (name, value) in &labels.label {
        let set = zeph_runtime::set_label(metadata, name, value);
        set.map_err(|error| CliError::new(Exit::Usage, error.to_string()))?;
    }
    Ok(())
}

/// The group of a new run of a graph, if flags change that of the graph.
pub(crate) fn group(
    graph: Option<&TaskGraph>,
    args: &GroupArgs,
) -> Result<Option<Group>, CliError> {
    let usage = |text: String| CliError::new(Exit::Usage, text);
    let of_graph = graph.and_then(Group::of);
    let word = args.on_conflict.as_ref().map(|word| word.replace('-', "_"));
    let on_conflict = match word {
        Some(word) => word
            .parse()
            .map_err(|error: UnknownWord| usage(error.to_string()))?,
        None => of_graph
            .as_ref()
            .map_or_else(OnConflict::default, |group| group.on_conflict),
    };
    let name = args.group.as_deref().or(of_graph.as_ref().map(Group::name));
    match name {
        Some(_) if args.group.is_none() && args.on_conflict.is_none() => Ok(None),
        Some(name) => match Group::new(name, on_conflict) {
            Ok(group) => Ok(Some(group)),
            Err(error) => Err(usage(error.to_string())),
        },
        None if args.on_conflict.is_some() => Err(usage(
            "--on-conflict needs a group: --group NAME, or `group` in the plan".to_owned(),
        )),
        None => Ok(None),
    }
}

/// Runs a loaded plan until it ends or is suspended. No command inherits the `withheld` variables.
pub(crate) async fn start(
    cx: &AppContext,
    plan: LoadedPlan,
    naming: Naming,
    options: FollowOptions,
    scripted: bool,
    withheld: Vec<String>,
) -> Result<Exit, CliError> {
    let needs_model = needs_model(&plan.graph, |_| true);
    let models = needs_model.then(|| ModelConfig::from_settings(cx, scripted));
    let models = models.transpose()?;
    let builder = builder(cx, models.as_ref(), &plan.graph)
        .await?
        .withhold(withheld);
    begin(cx, builder, plan.into(), naming, models.as_ref(), options).await
}

/// Starts a run, and follows it until it ends or is suspended. The metadata of the run names the models.
pub(crate) async fn begin(
    cx: &AppContext,
    builder: OrchestratorBuilder,
    mut spec: RunSpec,
    naming: Naming,
    models: Option<&ModelConfig>,
    options: FollowOptions,
) -> Result<Exit, CliError> {
    let began = Instant::now();
    if let Some(name) = naming.name {
        spec = spec.name(name);
    }
    for (name, value) in &naming.labels.label {
        let labelled = spec.label(name, value);
        spec = labelled.map_err(|error| CliError::new(Exit::Usage, error.to_string()))?;
    }
    if let Some(group) = group(spec.graph(), &naming.group)? {
        spec = spec.group(&group);
    }
    for (key, value) in models.into_iter().flat_map(ModelConfig::metadata) {
        spec = spec.metadata(key, value);
    }
    junit::prepare(options.junit.as_deref())?;
    let builder = if options.is_kept {
        cx.open_store().await?.of(builder)
    } else {
        builder
    };
    let orchestrator = builder.build()?;
    llm::warn_unredacted(&orchestrator, spec.given_secrets());
    // From here on the first signal suspends the run instead of killing the process.
    let signals = listen()?;
    let follower = orchestrator.follow(orchestrator.submit(spec).await?);
    finish(cx, &orchestrator, follower, options, signals, None, began).await
}

/// The builder for a run of a graph. A plan file stores its folder in the metadata of the graph.
pub(crate) async fn builder(
    cx: &AppContext,
    models: Option<&ModelConfig>,
    graph: &TaskGraph,
) -> Result<OrchestratorBuilder, CliError> {
    let folder = graph
        .metadata()
        .get(TaskGraph::FOLDER)
        .map_or(".", String::as_str);
    match models {
        None => Ok(llm::base_builder(cx)),
        Some(models) => llm::with_models(cx, models, Some(graph), Path::new(folder)).await,
    }
}

/// Follows a run to its end and prints the summary. `resumed` is the state before the resume, if the run
/// was resumed.
pub(crate) async fn finish(
    cx: &AppContext,
    orchestrator: &Orchestrator,
    mut follower: Follower,
    options: FollowOptions,
    signals: Signals,
    resumed: Option<&RunView>,
    began: Instant,
) -> Result<Exit, CliError> {
    if let Some(last) = resumed.and_then(|view| view.entries.last()) {
        follower = follower.after(last.seq.get());
    }
    if !options.is_interactive {
        follower = follower.without_questions();
    }
    let handle = follower.handle();
    let hooks = Hooks::new(&cx.config().hooks);
    let session = Session {
        hooks: hooks.clone(),
        lines: EventFormatter {
            run: handle.id().to_string(),
            total: handle.snapshot().counts.total(),
            completed: resumed.map_or(0, |view| view.scheduler.counts().completed),
            is_kept: options.is_kept,
            is_resumed: resumed.is_some(),
            fold: fold::Fold::default(),
        },
        follower,
        options: options.clone(),
        view: View::new(cx, options.channel),
        signals,
        waits: None,
        prompt: None,
    };
    let followed = Box::pin(session.follow()).await?;
    // From the end of the run on, a signal stops the hooks that still run.
    let mut signals = listen()?;
    let end = end::print(
        cx,
        orchestrator,
        &followed,
        &options,
        Some(&hooks),
        began.elapsed(),
    )
    .await;
    tokio::select! {
        failures = hooks.finish() => {
            for failure in failures {
                out::warn(escape_terminal(&failure.to_string()));
            }
        }
        () = signals.next() => out::warn("a hook was still running; it is stopped"),
    }
    end
}
