//! `zeph retry` and `zeph fork`: a new run of an ended one, which takes over the results that still count.

mod fork_point;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zeph_common::{escape_terminal, format_duration};
use zeph_graph::{RunId, Spent, TaskGraph, Work};
use zeph_orchestration::plan::{LoadedPlan, needs_model, reads_result};
use zeph_orchestration::planfile::RunValues;
use zeph_orchestration::{OrchestratorError, RetryPlan, RunsAgain};
use zeph_runtime::RunView;

use crate::args::{AgainArgs, ForkArgs, RetryArgs};
use crate::context::{AppContext, command, find_run};
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::{self, Channel, Tone};
use crate::place;
use crate::plan::{self, Params};
use crate::read::by_hand;
use crate::read::money::spent_json;
use crate::read::page::count;
use crate::read::time::micros;
use crate::read::time_breakdown::TimeBreakdown;
use crate::run::{self, FollowOptions};

/// The tasks that run again and are listed by name.
const SHOWN: usize = 20;

/// What runs again.
struct Selection<'a> {
    run: Option<&'a str>,
    /// Tasks that run although they completed.
    from: Vec<&'a str>,
    /// Tasks that run although they completed, or the number of a record that the new run goes on from.
    at: &'a [String],
    /// The only tasks that run; none for all.
    only: Vec<&'a str>,
    plan: Option<&'a Path>,
    /// Results that a person gives, each as `TASK=VALUE`.
    set: &'a [String],
}

pub(crate) async fn run(cx: &AppContext, args: &RetryArgs) -> Result<Exit, CliError> {
    let chosen = [&*args.from, &*args.only].concat();
    let selection = Selection {
        run: args.run.as_deref(),
        from: chosen.iter().map(String::as_str).collect(),
        at: &[],
        only: args.only.iter().map(String::as_str).collect(),
        plan: args.plan.as_deref(),
        set: &[],
    };
    start(cx, selection, &args.again).await
}

pub(crate) async fn fork(cx: &AppContext, args: &ForkArgs) -> Result<Exit, CliError> {
    let selection = Selection {
        run: Some(&args.run),
        from: Vec::new(),
        at: &args.at,
        only: Vec::new(),
        plan: None,
        set: &args.set,
    };
    start(cx, selection, &args.again).await
}

async fn start(
    cx: &AppContext,
    selection: Selection<'_>,
    args: &AgainArgs,
) -> Result<Exit, CliError> {
    let began = Instant::now();
    let params = Params::read(&args.params).await?;
    let store = cx.open_existing_store().await?;
    let of = find_run(&store, selection.run, Some(false)).await?;
    let view = RunView::load(&store, &of).await?;
    let name = run::name(args.name.as_deref())?;
    let earlier = RunValues::of_graph(view.graph()).map_err(OrchestratorError::from)?;
    let changed = selection.plan;
    let changed = changed.map(|path| plan::load_to_retry(cx, path, &params, earlier.clone()));
    let changed = changed.transpose()?;
    let mut chosen = selection.from;
    let record = fork_point::record(&view, selection.at, &mut chosen)?;
    let mut retry = match record {
        Some(record) => RetryPlan::at(&view, record, &chosen, |_, _| false)?,
        None => compare(cx, &view, &earlier, changed.as_ref(), &chosen)?,
    };
    if !selection.only.is_empty() {
        retry = retry.only(&selection.only)?;
    }
    let given = given_results(cx, &view, selection.set)?;
    let mut retry = retry.give(given)?.cut_off(reads_result);
    if retry.again().next().is_none() {
        return Err(nothing_to_retry(&of));
    }
    let asks_models = needs_model(retry.graph(), |id| retry.runs_again(id).is_some());
    let models = asks_models.then(|| ModelConfig::stored(cx, view.graph()));
    let models = models.transpose()?;
    for (key, value) in models.iter().flat_map(ModelConfig::metadata) {
        retry.metadata_mut().insert(key, value);
    }
    if let (Some(plan), Some(models)) = (&changed, &models) {
        plan::check_agents(cx, models.agents.as_deref(), plan)?;
    }
    if args.no_cache {
        run::set_no_cache(retry.metadata_mut());
    }
    run::set_labels(retry.metadata_mut(), &args.labels)?;
    if let Some(group) = run::group(Some(retry.graph()), &args.group)? {
        group.store(retry.metadata_mut());
    }
    let channel = llm::channel(retry.graph());
    let cost = Cost::of(&view, &retry);
    if args.dry_run {
        render(cx, &retry, cost, channel, true);
        return Ok(Exit::Completed);
    }
    run::junit::prepare(args.reports.junit.as_deref())?;
    if !args.rerun_interrupted {
        check_effects(&retry)?;
    }
    let given = match &changed {
        Some(plan) => plan.bound.run_values().given_secrets().map(owned).collect(),
        None => params.values.clone(),
    };
    let secrets: BTreeMap<String, String> = plan::secrets_of(retry.graph(), &given)?;
    let builder = run::builder(cx, models.as_ref(), retry.graph()).await?;
    let builder = builder.withhold(params.variables_of(secrets.keys().map(String::as_str)));
    let orchestrator = store.of(builder).build()?;
    let given = secrets.iter().map(|(name, value)| (&**name, &**value));
    llm::warn_unredacted(&orchestrator, given);
    render(cx, &retry, cost, channel, false);
    let options = FollowOptions {
        grace: retry.policy().suspend_grace,
        channel,
        junit: args.reports.junit.clone(),
        ..FollowOptions::new(cx)
    };
    // From here on the first signal suspends the run instead of killing the process.
    let signals = run::listen()?;
    let handle = orchestrator.retry(retry, name, &secrets).await?;
    let follower = orchestrator.follow(handle);
    run::finish(cx, &orchestrator, follower, options, signals, None, began).await
}

/// The results of `--set`, by task. A text for a command is its standard output.
fn given_results(
    cx: &AppContext,
    view: &RunView,
    set: &[String],
) -> Result<BTreeMap<String, Value>, CliError> {
    let mut given = BTreeMap::new();
    for one in set {
        let Some((task, text)) = one.split_once('=') else {
            let one = escape_terminal(one);
            let text = format!("--set {one} has no value");
            return Err(CliError::new(Exit::Usage, text)
                .help("write --set TASK=VALUE, or --set TASK=@FILE"));
        };
        let text = place::read(&format!("the result of {task}"), text)?.text;
        let text = llm::base_builder(cx).build()?.redacted(&text)?;
        let definition = view.graph().task(view.task(task)?);
        let value = by_hand::result_of(definition, Some(text))?;
        given.insert(task.to_owned(), value);
    }
    Ok(given)
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Compares the ended run with its own graph, or with that of a plan file.
fn compare(
    cx: &AppContext,
    view: &RunView,
    earlier: &RunValues,
    changed: Option<&LoadedPlan>,
    from: &[&str],
) -> Result<RetryPlan, CliError> {
    let graph = match changed {
        Some(plan) => {
            let policy = llm::base_builder(cx).build()?.policy_for(Some(plan))?;
            Some((plan.graph.clone(), policy))
        }
        None => None,
    };
    let values = changed.map_or(earlier, |plan| plan.bound.run_values());
    // A command with another folder does other work.
    let folder = |graph: &TaskGraph| graph.metadata().get(TaskGraph::FOLDER).cloned();
    let is_moved = changed.is_some_and(|plan| folder(&plan.graph) != folder(view.graph()));
    let retry = RetryPlan::new(view, graph, from, |_, task| match task.work() {
        Work::Action { params, .. } => {
            let params = params.to_value();
            is_moved || params.is_ok_and(|params| values.differs_for(earlier, &params))
        }
        Work::Milestone | Work::Question(_) => false,
    });
    Ok(retry?)
}

/// Refuses to repeat a task that must not happen twice and may have happened.
fn check_effects(retry: &RetryPlan) -> Result<(), CliError> {
    let names = |wanted: RunsAgain| {
        let tasks = retry.again().filter(|(_, why)| *why == wanted);
        let names = tasks.map(|(id, _)| escape_terminal(retry.graph().task(id).name()));
        names.collect::<Vec<_>>().join(", ")
    };
    let (unknown, repeated) = (
        names(RunsAgain::EffectUnknown),
        names(RunsAgain::EffectRepeated),
    );
    let (code, text) = if !unknown.is_empty() {
        let text = format!(
            "it is not known whether an attempt of {unknown} took effect, and it must not happen twice (at_most_once)"
        );
        ("effect_unknown", text)
    } else if !repeated.is_empty() {
        let why = match retry.graph().metadata().get(RetryPlan::AT_KEY) {
            Some(record) => format!("it or what it depends on completed after record {record}"),
            None => "what it depends on does".to_owned(),
        };
        let text = format!(
            "{repeated} took effect, and it must not happen twice (at_most_once); it would run again, because {why}"
        );
        ("effect_repeated", text)
    } else {
        return Ok(());
    };
    Err(CliError::new(Exit::Usage, text)
        .code(code)
        .help("--rerun-interrupted runs it again"))
}

fn nothing_to_retry(of: &RunId) -> CliError {
    let text = format!("every task of run {of} has completed, and nothing has changed");
    let from = command(&["retry", of.as_str(), "--from", "TASK"]);
    CliError::new(Exit::Usage, text)
        .code("nothing_to_retry")
        .help(format!("`{from}` runs a task and what depends on it again"))
}

/// What the tasks that run again took and spent in the earlier run.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// The time of all attempts, one after the other.
    took: Duration,
    spent: Spent,
}

impl Cost {
    fn of(view: &RunView, retry: &RetryPlan) -> Self {
        let times = TimeBreakdown::of(view, view.updated_at);
        let mut cost = Self::default();
        let again = retry.again().map(|(id, _)| retry.graph().task(id).name());
        for id in again.filter_map(|name| view.graph().find(name)) {
            cost.took += times.task(id).ran();
            let spent = view.scheduler.spent_by(id);
            cost.spent.tokens += spent.tokens;
            cost.spent.micro_usd += spent.micro_usd;
        }
        cost
    }

    fn words(self) -> Option<String> {
        if self.took.is_zero() {
            return None;
        }
        let took = format_duration(self.took);
        if self.spent == Spent::default() {
            return Some(format!("took {took}"));
        }
        Some(format!("took {took} and spent {}", self.spent))
    }
}

/// Prints what is kept and what runs.
fn render(cx: &AppContext, retry: &RetryPlan, cost: Cost, channel: Channel, is_dry: bool) {
    let of = |is_perhaps: bool| -> Vec<(&str, RunsAgain)> {
        let tasks = (retry.again()).filter(|(id, _)| retry.is_perhaps(*id) == is_perhaps);
        let tasks = tasks.map(|(id, why)| (retry.graph().task(id).name(), why));
        tasks.collect()
    };
    let (again, perhaps) = (of(false), of(true));
    let given: Vec<&str> = (retry.given())
        .map(|id| retry.graph().task(id).name())
        .collect();
    let spare = retry.graph().ids().filter(|&id| retry.stands_by(id));
    let kept = retry.graph().len() - again.len() - perhaps.len() - given.len() - spare.count();
    let record: Option<u64> =
        (retry.graph().metadata().get(RetryPlan::AT_KEY)).and_then(|record| record.parse().ok());
    if cx.json() {
        let json =
            |(task, why): &(&str, RunsAgain)| json!({ "task": task, "why": reason(retry, *why) });
        let again: Vec<Value> = again.iter().map(json).collect();
        let perhaps: Vec<Value> = perhaps.iter().map(json).collect();
        out::json(&channel.marked(json!({
            "event": "retrying",
            "of": retry.of().as_str(),
            "at": record,
            "dry_run": is_dry,
            "kept": kept,
            "again": again,
            "perhaps": perhaps,
            "given": given,
            "gone": retry.gone(),
            "before": {
                "took_us": micros(cost.took),
                "spent": spent_json(cost.spent),
            },
        })));
        return;
    }
    let of = retry.of();
    let verb = if is_dry { "would retry" } else { "retrying" };
    let at = record.map_or_else(String::new, |record| format!(" at record {record}"));
    channel.line(
        format!(
            "{} run {of}{at}: {} kept, {} to run",
            Tone::Good.paint(verb),
            count(kept as u64, "result"),
            count(again.len() as u64, "task"),
        ) + &unless_same(perhaps.len()),
    );
    for task in &given {
        let word = Tone::Warning.paint("given");
        channel.line(format!(
            "  {word} {}: --set has its result",
            escape_terminal(task)
        ));
    }
    for (task, why) in again.iter().take(SHOWN) {
        let word = if *why == RunsAgain::New {
            Tone::Good.paint("new")
        } else {
            Tone::Warning.paint("again")
        };
        let why = reason(retry, *why);
        channel.line(format!("  {word} {}: {why}", escape_terminal(task)));
    }
    if again.len() > SHOWN {
        channel.line(format!("  … and {} more", again.len() - SHOWN));
    }
    for (task, _) in perhaps.iter().take(SHOWN) {
        let word = Tone::Question.paint("perhaps");
        let task = escape_terminal(task);
        channel.line(format!(
            "  {word} {task}: kept if its inputs come out the same"
        ));
    }
    if perhaps.len() > SHOWN {
        channel.line(format!("  … and {} more", perhaps.len() - SHOWN));
    }
    if let Some(words) = cost.words() {
        let before = Tone::Quiet.paint("before");
        channel.line(format!("  {before} these tasks {words} in run {of}"));
    }
    for task in retry.gone().iter().take(SHOWN) {
        let gone = Tone::Quiet.paint("gone");
        channel.line(format!("  {gone} {}", escape_terminal(task)));
    }
}

/// How many tasks may be kept.
fn unless_same(perhaps: usize) -> String {
    match perhaps {
        0 => String::new(),
        some => format!(", {some} perhaps"),
    }
}

/// Why a task runs, in a few words.
fn reason(retry: &RetryPlan, why: RunsAgain) -> String {
    match why {
        RunsAgain::NotCompleted => "it did not complete".to_owned(),
        RunsAgain::EffectUnknown => "it may have taken effect (at_most_once)".to_owned(),
        RunsAgain::EffectRepeated => {
            "it took effect (at_most_once), and cannot be taken over".to_owned()
        }
        RunsAgain::WaitsForFailure => "it waits for a failure".to_owned(),
        RunsAgain::Substituted => "it completed with a substitute value".to_owned(),
        RunsAgain::Chosen => "it is named".to_owned(),
        RunsAgain::Changed => "its work has changed".to_owned(),
        RunsAgain::Upstream(parent) => {
            let parent = retry.graph().task(parent).name();
            format!("it needs {}", escape_terminal(parent))
        }
        RunsAgain::Later => {
            let record = retry.graph().metadata().get(RetryPlan::AT_KEY);
            let record = record.map_or("?", String::as_str);
            format!("it completed after record {record}")
        }
        RunsAgain::Finally => "it runs at the end of each run".to_owned(),
        RunsAgain::StandsBy(user) => {
            let user = retry.graph().task(user).name();
            format!("it runs if {} fails", escape_terminal(user))
        }
        RunsAgain::New => "the earlier run has no such task".to_owned(),
        _ => "it runs again".to_owned(),
    }
}
