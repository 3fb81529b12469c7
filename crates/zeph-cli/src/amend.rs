//! `zeph amend`: changes the tasks of a run that has not ended to those of another version of its plan.

mod kept;

use crate::store::Database;
use serde_json::{Value, json};
use zeph_common::escape_terminal;
use zeph_graph::wire::{GraphSpec, Revision, code};
use zeph_graph::{RunId, TaskId};
use zeph_orchestration::OrchestratorError;
use zeph_orchestration::plan::{LoadedPlan, needs_model};
use zeph_orchestration::planfile::RunValues;
use zeph_runtime::{Delivery, Request, RunView, RuntimeError, ask, replace};

use crate::amend::kept::Kept;
use crate::args::AmendArgs;
use crate::context::{AppContext, command, now};
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::{self, Tone};
use crate::plan::{self, Params};
use crate::read::page::names;
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
    let after = args.after.unwrap_or_else(|| view.scheduler.amendments());
    check_after(&view, after)?;
    let earlier = RunValues::of_graph(view.graph()).map_err(OrchestratorError::from)?;
    let plan = plan::load_to_retry(cx, &args.plan, &params, earlier.clone())?;
    let revision = view.revision(&plan.graph);
    kept::check(&view, &plan, &earlier)?;
    let kept = Kept::of(&view, &plan);
    check_removed(&view, &revision, &kept, args)?;
    let patch = &revision.patch;
    check_fit(&view, patch)?;
    let is_new = |id: TaskId| {
        let name = plan.graph.task(id).name();
        patch.tasks.iter().any(|task| task.name == name)
    };
    if needs_model(&plan.graph, is_new) {
        if !needs_model(view.graph(), |_| true) {
            let text = format!("new tasks ask a model, and run {run} has none");
            return Err(CliError::new(Exit::Usage, text).code("no_model"));
        }
        let models = ModelConfig::stored(cx, view.graph())?;
        plan::check_agents(cx, models.agents.as_deref(), &plan)?;
    }
    let list = |names: &[String]| -> Vec<Value> {
        let ids = names.iter().filter_map(|name| plan.graph.find(name));
        ids.map(|id| task_json(&plan, id)).collect()
    };
    let mut shown = json!({
        "run": run.as_str(),
        "dry_run": args.dry_run,
        "after": after,
        "added": list(&revision.new),
        "replaced": list(&revision.replaced),
        "rewired": list(&revision.rewired),
        "removed": revision.removed,
        "kept": kept.iter().map(Kept::to_json).collect::<Vec<_>>(),
        "delivery": null,
        "request": null,
    });
    render(cx, &shown, &kept);
    if args.dry_run {
        print(cx, &shown, "nothing has changed".to_owned());
        return Ok(Exit::Completed);
    }
    let reason = args.reason.as_deref();
    let redactor = llm::base_builder(cx).build()?;
    // Plain data that was just written.
    let patch = serde_json::from_str(&patch.to_json()).unwrap_or_default();
    let reason = reason.map(|text| redactor.redacted(text)).transpose()?;
    let request = Request::Amend {
        patch,
        after,
        reason,
    };
    let delivery = send(&store, &run, &request, (after, args.replace)).await?;
    let (word, text) = match delivery {
        Delivery::Accepted => ("accepted", format!("run {run} is changed")),
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
                    "kept: no process works on run {run}; it is changed when it is resumed: {resume}"
                ),
            )
        }
    };
    shown["delivery"] = word.into();
    print(cx, &shown, text);
    Ok(Exit::Completed)
}

/// Sends the changes to the process of the run, or leaves them for its resumption.
async fn send(
    store: &Database,
    run: &RunId,
    request: &Request,
    (after, replaces): (u32, bool),
) -> Result<Delivery, CliError> {
    let owners = store.owners();
    let sent = if replaces {
        replace(store, owners.as_ref(), run, request, now()).await
    } else {
        ask(store, owners.as_ref(), run, request, now()).await
    };
    // The process of the run says why in words.
    if let Err(RuntimeError::Refused { .. }) = sent {
        check_after(&RunView::load(store, run).await?, after)?;
    }
    Ok(sent?)
}

/// Checks that the run has been amended so many times.
fn check_after(view: &RunView, after: u32) -> Result<(), CliError> {
    let amendments = view.scheduler.amendments();
    if after == amendments {
        return Ok(());
    }
    let run = view.run.clone();
    Err(CliError::from(RuntimeError::Outdated {
        run,
        after,
        amendments,
    }))
}

/// Checks that the graph of the run can be changed so. It keeps its lanes.
fn check_fit(view: &RunView, patch: &GraphSpec) -> Result<(), CliError> {
    let Err(problems) = view.scheduler.check_amendment(patch) else {
        return Ok(());
    };
    let run = &view.run;
    let text = format!("run {run} cannot be changed so: {problems}");
    let error = CliError::new(Exit::Usage, text).code("bad_patch");
    let has = |code| problems.iter().any(|one| one.code == code);
    Err(if has(code::UNKNOWN_LANE) {
        error.help("a run keeps its lanes, and `max_parallel` of a `foreach` is one: use those that it has")
    } else if has(code::BAD_REMOVAL) {
        let retry = command(&["retry", run.as_str(), "--plan", "FILE"]);
        error.help(format!(
            "tasks that have not started can be changed; when the run has ended, `{retry}` goes on under the plan"
        ))
    } else {
        error
    })
}

/// Tasks that the plan does not have are removed only on demand: the file may be another plan.
fn check_removed(
    view: &RunView,
    revision: &Revision,
    kept: &[Kept],
    args: &AmendArgs,
) -> Result<(), CliError> {
    let (run, removed) = (&view.run, &revision.removed);
    if revision.patch == GraphSpec::default() {
        let mut text = format!("the plan has the same tasks as run {run}");
        if !kept.is_empty() {
            let kept: Vec<String> = kept.iter().map(Kept::words).collect();
            text.push_str(&format!(", which keeps its {}", kept.join("; ")));
        }
        let error = CliError::new(Exit::Usage, text).code("nothing_to_amend");
        return Err(match kept.iter().any(|kept| kept.key == "budget") {
            true => {
                let budget = command(&["budget", run.as_str()]);
                error.help(format!("`{budget}` changes the budget of a run"))
            }
            false => error,
        });
    }
    if removed.is_empty() || args.remove {
        return Ok(());
    }
    let shown = removed.iter().take(NAMED).map(String::as_str);
    let text = format!(
        "the plan lacks tasks of run {run}: {}",
        names(shown, removed.len())
    );
    Err(CliError::new(Exit::Usage, text)
        .code("lacks_tasks")
        .help("with `--remove` they are taken out of the run, if they have not started"))
}

fn task_json(plan: &LoadedPlan, id: TaskId) -> Value {
    let graph = &plan.graph;
    let needs = graph.parents(id).iter();
    let needs: Vec<&str> = needs.map(|&parent| graph.task(parent).name()).collect();
    let task = graph.task(id);
    json!({ "task": task.name(), "needs": needs, "does": dry::does(task) })
}

/// Shows the changes to people, before they are made.
fn render(cx: &AppContext, shown: &Value, kept: &[Kept]) {
    if cx.json() {
        return;
    }
    let kinds = [
        ("added", "new", Tone::Good),
        ("replaced", "replaced", Tone::Warning),
        ("rewired", "re-wired", Tone::Warning),
        ("removed", "removed", Tone::Bad),
    ];
    let list = |key: &str| shown[key].as_array().map_or(&[][..], Vec::as_slice);
    let kinds = kinds.map(|(key, word, tone)| (list(key), word, tone));
    let parts = kinds.iter().filter(|(tasks, ..)| !tasks.is_empty());
    let parts: Vec<String> = parts
        .map(|(tasks, word, _)| format!("{} {word}", tasks.len()))
        .collect();
    let run = shown["run"].as_str().unwrap_or_default();
    out::line(format!("run {run}: {}", parts.join(", ")));
    for kept in kept {
        out::line(format!("  {} {}", Tone::Quiet.paint("kept"), kept.words()));
    }
    for (tasks, word, tone) in kinds {
        for task in tasks {
            out::line(format!("  {} {}", tone.paint(word), task_line(task)));
        }
    }
}

/// `mail, after build: what it does`, or only a name.
fn task_line(task: &Value) -> String {
    let escaped = |text: &Value| escape_terminal(text.as_str().unwrap_or_default()).into_owned();
    if task.is_string() {
        return escaped(task);
    }
    let needs = task["needs"].as_array().map_or(&[][..], Vec::as_slice);
    let needs: Vec<String> = needs.iter().map(escaped).collect();
    let after = match needs.is_empty() {
        true => String::new(),
        false => format!(", after {}", needs.join(", ")),
    };
    format!(
        "{}{after}: {}",
        escaped(&task["task"]),
        escaped(&task["does"])
    )
}

fn print(cx: &AppContext, shown: &Value, text: String) {
    if cx.json() {
        out::json(shown);
    } else {
        out::line(text);
    }
}
