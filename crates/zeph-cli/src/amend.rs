//! `zeph amend`: adds the new tasks of a plan file to a run that has not ended.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeph_common::escape_terminal;
use zeph_graph::wire::{GraphSpec, TaskSpec};
use zeph_graph::{TaskGraph, TaskId, Work};
use zeph_orchestration::OrchestratorError;
use zeph_orchestration::plan::{LoadedPlan, needs_model};
use zeph_orchestration::planfile::RunValues;
use zeph_runtime::{Delivery, Request, RunView, RuntimeError, ask, replace};

use crate::args::AmendArgs;
use crate::context::{AppContext, command, now};
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::{self, Tone};
use crate::plan::{self, Params};
use crate::read::page::{count, names};
use crate::read::request::open;
use crate::run::dry;

/// The tasks that are named in an error.
const NAMED: usize = 8;

pub(crate) async fn run(cx: &AppContext, args: &AmendArgs) -> Result<Exit, CliError> {
    let params = Params::read(&args.params).await?;
    let (store, run) = open(cx, Some(&args.run)).await?;
    let view = RunView::load(&store, &run).await?;
    if !view.status.open {
        let state = view.status.state.clone();
        return Err(CliError::from(RuntimeError::AlreadyEnded { run, state }));
    }
    let earlier = RunValues::of_graph(view.graph()).map_err(OrchestratorError::from)?;
    let plan = plan::load_to_retry(cx, &args.plan, &params, earlier.clone())?;
    let new = Difference::of(&view.graph().without_items(), &plan.graph).new_tasks(&view)?;
    check_values(&view, &plan, &earlier, &new)?;
    check_fit(&view, &new)?;
    let is_new = |id: TaskId| {
        new.iter()
            .any(|task| task.name == plan.graph.task(id).name())
    };
    if needs_model(&plan.graph, is_new) {
        if !needs_model(view.graph(), |_| true) {
            let text = format!("the new tasks ask a model, and run {run} has none");
            return Err(CliError::new(Exit::Usage, text).code("no_model"));
        }
        let models = ModelConfig::stored(cx, view.graph())?;
        plan::check_agents(models.agents.as_deref(), &plan)?;
    }
    let after = args.after.unwrap_or_else(|| view.scheduler.amendments());
    let added: Vec<Value> = plan
        .graph
        .ids()
        .filter(|&id| is_new(id))
        .map(|id| task_json(&plan, id))
        .collect();
    let mut shown = json!({
        "run": run.as_str(),
        "dry_run": args.dry_run,
        "after": after,
        "added": added,
        "delivery": null,
        "request": null,
    });
    render(cx, &shown);
    if args.dry_run {
        print(cx, &shown, "nothing has changed".to_owned());
        return Ok(Exit::Completed);
    }
    let reason = args.reason.as_deref();
    let redactor = llm::base_builder(cx).build()?;
    let patch = GraphSpec {
        tasks: new,
        ..GraphSpec::default()
    };
    // Plain data that was just written.
    let patch = serde_json::from_str(&patch.to_json()).unwrap_or_default();
    let reason = reason.map(|text| redactor.redacted(text)).transpose()?;
    let request = Request::Amend {
        patch,
        after,
        reason,
    };
    let owners = cx.owners(&store);
    let delivery = if args.replace {
        replace(&store, Some(&owners), &run, &request, now()).await?
    } else {
        ask(&store, Some(&owners), &run, &request, now()).await?
    };
    let (word, text) = match delivery {
        Delivery::Accepted => ("accepted", format!("added to run {run}")),
        Delivery::Stale => (
            "stale",
            format!("nothing has changed: run {run} is ending, or only its clean-up is left"),
        ),
        Delivery::Posted(id) => {
            shown["request"] = id.get().into();
            let resume = command(&["resume", run.as_str()]);
            (
                "posted",
                format!(
                    "kept: no process works on run {run}; they are added when it is resumed: {resume}"
                ),
            )
        }
    };
    shown["delivery"] = word.into();
    print(cx, &shown, text);
    Ok(Exit::Completed)
}

/// Checks that the graph of the run can have the new tasks. It keeps its lanes.
fn check_fit(view: &RunView, new: &[TaskSpec]) -> Result<(), CliError> {
    let patch = GraphSpec {
        tasks: new.to_vec(),
        ..GraphSpec::default()
    };
    let Err(problems) = view.graph().clone().extend(&patch) else {
        return Ok(());
    };
    let text = format!("the new tasks do not fit run {}: {problems}", view.run);
    let error = CliError::new(Exit::Usage, text);
    let lanes = problems
        .iter()
        .any(|one| one.code == zeph_graph::wire::code::UNKNOWN_LANE);
    Err(if lanes {
        error.help("a run keeps its lanes, and `max_parallel` of a `foreach` is one: use those that it has")
    } else {
        error
    })
}

/// What a plan file changes in a run, by the names of the tasks.
struct Difference {
    new: Vec<TaskSpec>,
    changed: Vec<String>,
    gone: Vec<String>,
}

impl Difference {
    fn of(run: &TaskGraph, plan: &TaskGraph) -> Self {
        let specs = GraphSpec::from(run).tasks.into_iter();
        let mut before: BTreeMap<String, TaskSpec> =
            specs.map(|task| (task.name.clone(), task)).collect();
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        for task in GraphSpec::from(plan).tasks {
            match before.remove(&task.name) {
                None => new.push(task),
                Some(old) if old != task => changed.push(task.name),
                Some(_) => {}
            }
        }
        Self {
            new,
            changed,
            gone: before.into_keys().collect(),
        }
    }

    /// The new tasks, if nothing else is different.
    fn new_tasks(self, view: &RunView) -> Result<Vec<TaskSpec>, CliError> {
        let run = &view.run;
        for (tasks, how) in [(&self.changed, "changes"), (&self.gone, "lacks")] {
            if !tasks.is_empty() {
                let shown = tasks.iter().take(NAMED).map(String::as_str);
                let text = format!(
                    "the plan {how} tasks of run {run}: {}",
                    names(shown, tasks.len())
                );
                let retry = command(&["retry", run.as_str(), "--plan", "FILE"]);
                return Err(CliError::new(Exit::Usage, text)
                    .code("not_only_new")
                    .help(format!("only new tasks can be added to a run; when it has ended, `{retry}` goes on under a changed plan")));
            }
        }
        if self.new.is_empty() {
            let text = format!("the plan has no task that run {run} does not have");
            return Err(CliError::new(Exit::Usage, text).code("nothing_to_amend"));
        }
        Ok(self.new)
    }
}

/// Refuses tasks that would not get what the plan says: the run keeps its own parameters, secrets and folder.
fn check_values(
    view: &RunView,
    plan: &LoadedPlan,
    earlier: &RunValues,
    new: &[TaskSpec],
) -> Result<(), CliError> {
    let values = plan.bound.run_values();
    let folder = |graph: &TaskGraph| graph.metadata().get(TaskGraph::FOLDER).cloned();
    let what = if folder(&plan.graph) != folder(view.graph()) {
        Some("the folder of the plan is not that of the run".to_owned())
    } else {
        let known: Vec<&str> = earlier.missing_secrets().collect();
        let mut secrets = values.missing_secrets();
        let secret = secrets.find(|name| !known.contains(name));
        let mut tasks = new.iter().filter_map(|task| plan.graph.find(&task.name));
        let other = tasks.find(|&id| match plan.graph.task(id).work() {
            Work::Action { params, .. } => {
                let params = params.to_value();
                params.is_ok_and(|params| values.differs_for(earlier, &params))
            }
            Work::Milestone | Work::Question(_) => false,
        });
        let other = other.map(|id| {
            let name = escape_terminal(plan.graph.task(id).name());
            format!("{name} uses a parameter that has another value in the run")
        });
        let secret = secret.map(|name| {
            let name = escape_terminal(name);
            format!("the run has no secret parameter {name}")
        });
        secret.or(other)
    };
    match what {
        None => Ok(()),
        Some(text) => Err(CliError::new(Exit::Usage, text)
            .code("other_values")
            .help("a run keeps the folder, parameters and secrets that it was started with")),
    }
}

fn task_json(plan: &LoadedPlan, id: TaskId) -> Value {
    let graph = &plan.graph;
    let needs = graph.parents(id).iter();
    let needs: Vec<&str> = needs.map(|&parent| graph.task(parent).name()).collect();
    let task = graph.task(id);
    json!({ "task": task.name(), "needs": needs, "does": dry::does(task) })
}

/// Shows the tasks to people, before they are added.
fn render(cx: &AppContext, shown: &Value) {
    if cx.json() {
        return;
    }
    let added = shown["added"].as_array().map_or(&[][..], Vec::as_slice);
    let run = shown["run"].as_str().unwrap_or_default();
    out::line(format!(
        "run {run}: {} to add",
        count(added.len() as u64, "task")
    ));
    for task in added {
        let text = |key: &str| escape_terminal(task[key].as_str().unwrap_or_default()).into_owned();
        let needs = task["needs"].as_array().map_or(&[][..], Vec::as_slice);
        let needs: Vec<_> = needs
            .iter()
            .filter_map(Value::as_str)
            .map(escape_terminal)
            .collect();
        let needs = if needs.is_empty() {
            String::new()
        } else {
            format!(", after {}", needs.join(", "))
        };
        let new = Tone::Good.paint("new");
        out::line(format!("  {new} {}{needs}: {}", text("task"), text("does")));
    }
}

fn print(cx: &AppContext, shown: &Value, text: String) {
    if cx.json() {
        out::json(shown);
    } else {
        out::line(text);
    }
}
