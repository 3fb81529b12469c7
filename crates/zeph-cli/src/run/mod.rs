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

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use zeph_graph::{RunId, TaskGraph};
use zeph_memory::RawGraphStore;
use zeph_orchestration::plan::{LoadedPlan, needs_model};
use zeph_orchestration::{OrchestratorBuilder, RunSpec};
use zeph_runtime::RunHandle;

use crate::args::RunArgs;
use crate::cx::Cx;
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig, PLAYED};
use crate::out::{self, Channel};
use crate::plan;

pub(crate) use session::Manner;
use session::Session;
use signals::Signals;
pub(crate) use signals::listen;
use view::View;

pub(crate) async fn run(cx: &Cx, args: &RunArgs) -> Result<Exit, CliError> {
    let plan = plan::load(cx, &args.plan, &args.param)?;
    if args.dry_run {
        let orchestrator = llm::base_builder(cx).build()?;
        dry::show(
            cx,
            &plan,
            orchestrator.policy_for(Some(&plan))?.max_parallel,
        );
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
    start(cx, plan, name, manner, args.scripted).await
}

/// The name of a run, as a person gives it.
pub(crate) fn name(text: Option<&str>) -> Result<Option<RunId>, CliError> {
    let name = text.map(str::parse::<RunId>).transpose();
    name.map_err(|error| CliError::new(Exit::Usage, error.to_string()))
}

/// Runs a loaded plan until it ends or is suspended.
pub(crate) async fn start(
    cx: &Cx,
    plan: LoadedPlan,
    name: Option<RunId>,
    manner: Manner,
    scripted: bool,
) -> Result<Exit, CliError> {
    let models = needs_model(&plan.graph, |_| true);
    let models = models.then(|| ModelConfig::from_settings(cx, scripted));
    let models = models.transpose()?;
    let builder = builder(cx, models.as_ref(), &plan.graph)?;
    let mut spec = RunSpec::from(plan);
    if let Some(name) = name {
        spec = spec.name(name);
    }
    for (key, value) in models.iter().flat_map(ModelConfig::metadata) {
        spec = spec.metadata(key, value);
    }
    begin(cx, builder, spec, manner).await
}

/// Starts a run and follows it until it ends or is suspended.
pub(crate) async fn begin(
    cx: &Cx,
    builder: OrchestratorBuilder,
    spec: RunSpec,
    manner: Manner,
) -> Result<Exit, CliError> {
    let began = Instant::now();
    let builder = if manner.is_kept {
        builder.database(cx.open_store().await?)
    } else {
        builder
    };
    let orchestrator = builder.build()?;
    llm::warn_unredacted(&orchestrator, Some(&spec));
    // From here on the first signal suspends the run instead of killing the process.
    let signals = listen()?;
    let follow = Follow {
        handle: orchestrator.submit(spec).await?,
        store: Arc::clone(orchestrator.store()),
        manner,
        signals,
        ended: 0,
        told_up_to: 0,
    };
    follow.finish(cx, began).await
}

/// The key of a graph's metadata that holds the plan's folder.
pub(crate) const FOLDER: &str = "plan_folder";

/// The builder for a run of that graph, which has the metadata of its plan file.
pub(crate) fn builder(
    cx: &Cx,
    models: Option<&ModelConfig>,
    graph: &TaskGraph,
) -> Result<OrchestratorBuilder, CliError> {
    let folder = graph.metadata().get(FOLDER).map_or(".", String::as_str);
    models.map_or_else(
        || Ok(llm::base_builder(cx)),
        |models| llm::with_models(cx, models, Path::new(folder)),
    )
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
