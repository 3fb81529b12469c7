//! What a run keeps although another version of its plan says otherwise: its values, lanes, limits and group.

use serde_json::{Value, json};
use zeph_common::{escape_terminal, format_duration};
use zeph_diagnostics::quote;
use zeph_graph::{Group, Lane, TaskGraph};
use zeph_orchestration::plan::LoadedPlan;
use zeph_orchestration::planfile::RunValues;
use zeph_runtime::RunView;

use crate::context::command;
use crate::exit::{CliError, Exit};
use crate::read::answers::short;

/// Refuses a plan whose tasks would do something else in the run than the plan says.
pub(super) fn check(
    view: &RunView,
    plan: &LoadedPlan,
    earlier: &RunValues,
) -> Result<(), CliError> {
    let found = [
        folder(view.graph(), &plan.graph),
        goal(view.graph(), &plan.graph),
        params(earlier, plan.bound.run_values()),
        lanes(view.graph(), &plan.graph),
    ];
    let found: Vec<String> = found.into_iter().flatten().collect();
    if found.is_empty() {
        return Ok(());
    }
    let run = &view.run;
    let retry = command(&["retry", run.as_str(), "--plan", "FILE"]);
    let text = format!(
        "the plan says otherwise than run {run}, which keeps what it was started with: {}",
        found.join("; ")
    );
    Err(CliError::new(Exit::Usage, text)
        .code("other_values")
        .help(format!(
            "leave these changes out; when the run has ended, `{retry}` goes on under the plan"
        )))
}

/// A limit or the group, which flags and settings may have decided for the run: it is kept, and said.
pub(super) struct Kept {
    pub(super) key: &'static str,
    pub(super) in_run: String,
    pub(super) in_plan: String,
}

impl Kept {
    /// What the plan states and the run has otherwise.
    pub(super) fn of(view: &RunView, plan: &LoadedPlan) -> Vec<Self> {
        let (limits, policy) = (plan.bound.limits(), view.scheduler.policy());
        let duration = |limit: Option<std::time::Duration>| {
            limit.map_or_else(|| "no limit".to_owned(), format_duration)
        };
        let group = |graph: &TaskGraph| {
            let group = Group::of(graph)?;
            Some(format!("{} ({})", group.name(), group.on_conflict.word()))
        };
        let stated = [
            (
                "timeout",
                duration(policy.run_timeout),
                limits.timeout.map(|limit| duration(Some(limit))),
            ),
            (
                "max_parallel",
                policy.max_parallel.to_string(),
                limits.max_parallel.map(|limit| limit.to_string()),
            ),
            (
                "budget",
                view.scheduler.budget().to_string(),
                limits.budget.map(|budget| budget.to_string()),
            ),
            (
                "budget.over",
                policy.over_budget.word().to_owned(),
                limits.over_budget.map(|over| over.word().to_owned()),
            ),
            (
                "group",
                group(view.graph()).unwrap_or_else(|| "none".to_owned()),
                group(&plan.graph),
            ),
        ];
        let kept = stated.into_iter().filter_map(|(key, in_run, in_plan)| {
            let in_plan = in_plan.filter(|in_plan| *in_plan != in_run)?;
            Some(Self {
                key,
                in_run,
                in_plan,
            })
        });
        kept.collect()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "key": self.key, "run": self.in_run, "plan": self.in_plan })
    }

    /// `timeout 2h, not 3h`.
    pub(super) fn words(&self) -> String {
        format!("{} {}, not {}", self.key, self.in_run, self.in_plan)
    }
}

fn folder(run: &TaskGraph, plan: &TaskGraph) -> Option<String> {
    let folder = |graph: &TaskGraph| graph.metadata().get(TaskGraph::FOLDER).cloned();
    (folder(run) != folder(plan))
        .then(|| "the folder of the plan is not that of the run".to_owned())
}

fn goal(run: &TaskGraph, plan: &TaskGraph) -> Option<String> {
    let goal = |graph: &TaskGraph| graph.metadata().get("goal").cloned();
    let (in_run, in_plan) = (goal(run), goal(plan)?);
    let in_run = in_run.unwrap_or_default();
    (in_run != in_plan).then(|| format!("the goal is {}, not {}", short(&in_run), short(&in_plan)))
}

fn params(run: &RunValues, plan: &RunValues) -> Option<String> {
    let shown = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| short(&value.to_string()), short)
    };
    let params = plan.stored_params().iter();
    let mut found: Vec<String> = params
        .filter_map(|(name, value)| match run.stored_params().get(name) {
            None => Some(format!("it has no parameter {}", quote(name))),
            Some(other) if other == value => None,
            Some(other) => Some(format!(
                "the parameter {} is {}, not {}",
                quote(name),
                shown(other),
                shown(value)
            )),
        })
        .collect();
    let known: Vec<&str> = run.missing_secrets().collect();
    let secrets = plan
        .missing_secrets()
        .chain(plan.given_secrets().map(|(name, _)| name));
    let new = secrets.filter(|name| !known.contains(name));
    found.extend(new.map(|name| format!("it has no secret parameter {}", quote(name))));
    if run.env_files() != plan.env_files() {
        found.push("it has other env files".to_owned());
    }
    (!found.is_empty()).then(|| found.join("; "))
}

fn lanes(run: &TaskGraph, plan: &TaskGraph) -> Option<String> {
    let words = |lane: &Lane| {
        let shared = if lane.shared { " (shared)" } else { "" };
        format!("{}{shared}", lane.capacity)
    };
    let lanes = plan.lanes().iter().filter_map(|lane| {
        let other = &run.lanes()[run.find_lane(&lane.name)?.index()];
        let (other, new) = (words(other), words(lane));
        let name = escape_terminal(&lane.name);
        (other != new).then(|| format!("the lane {name} has {other}, not {new}"))
    });
    let found: Vec<String> = lanes.collect();
    (!found.is_empty()).then(|| found.join("; "))
}
