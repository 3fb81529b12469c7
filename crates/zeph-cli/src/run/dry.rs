//! Dry runs: show the tasks of a plan.

use std::num::NonZeroU32;

use serde_json::{Value, json};
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_graph::{Task, picture};
use zeph_orchestration::plan::LoadedPlan;

use crate::context::AppContext;
use crate::out::{self, Tone};
use crate::{validate, work};

/// The bytes of a task's work.
const TEXT_BYTES: usize = 400;

/// Shows what a plan would do.
pub(super) fn show(cx: &AppContext, loaded: &LoadedPlan, parallel: NonZeroU32) {
    let graph = &loaded.graph;
    if cx.json() {
        out::json(&to_json(loaded));
        return;
    }
    let goal = escape_terminal(loaded.bound.goal());
    if !goal.is_empty() {
        out::line(format!("goal: {goal}"));
    }
    out::text(picture::tree(graph, |_| None));
    out::line("");
    for (_, task) in graph.tasks() {
        out::line(format!("{}: {}", escape_terminal(task.name()), does(task)));
    }
    out::line("");
    out::line(format!(
        "{} {}; at most {parallel} would run at a time; nothing was run or stored",
        Tone::Good.paint("ok"),
        validate::size(graph)
    ));
}

/// The work of a task, in a few words.
pub(crate) fn does(task: &Task) -> String {
    let (who, what) = (work::who(task), work::what(task));
    let text = match (&*who, &*what) {
        (who, "") => who.to_owned(),
        ("command", what) => what.to_owned(),
        (who, what) => format!("{who}: {what}"),
    };
    let gate = if task.rules().approve.is_some() {
        "after approval, "
    } else {
        ""
    };
    let text = truncate(&text, TEXT_BYTES, Boundary::Char).to_string();
    format!("{gate}{}", escape_terminal(&text))
}

fn to_json(loaded: &LoadedPlan) -> Value {
    let graph = &loaded.graph;
    let task = |(id, task): (_, &Task)| {
        let needs = graph.parents(id).iter();
        let needs: Vec<&str> = needs.map(|&parent| graph.task(parent).name()).collect();
        json!({ "task": task.name(), "needs": needs, "does": does(task) })
    };
    let tasks: Vec<Value> = graph.tasks().map(task).collect();
    json!({ "dry_run": true, "goal": loaded.bound.goal(), "tasks": tasks })
}
