//! Dry runs: show the tasks of a plan.

use std::num::NonZeroU32;

use serde_json::{Value, json};
use zeph_common::Boundary;
use zeph_graph::{Task, TaskGraph, Work, picture};
use zeph_orchestration::plan::LoadedPlan;

use crate::context::AppContext;
use crate::out::{self, Tone};
use crate::validate;

/// Shows what a plan would do.
pub(super) fn show(cx: &AppContext, loaded: &LoadedPlan, parallel: NonZeroU32) {
    let graph = &loaded.graph;
    if cx.json() {
        out::json(&to_json(loaded));
        return;
    }
    let goal = zeph_common::escape_terminal(loaded.bound.goal());
    if !goal.is_empty() {
        out::line(format!("goal: {goal}"));
    }
    out::text(picture::tree(graph, |_| None));
    out::line("");
    for (_, task) in graph.tasks() {
        out::line(format!(
            "{}: {}",
            zeph_common::escape_terminal(task.name()),
            what(task)
        ));
    }
    out::line("");
    out::line(format!(
        "{} {}; at most {parallel} would run at a time; nothing was run or stored",
        Tone::Good.paint("ok"),
        validate::size(graph)
    ));
}

/// The work of a task, in a few words.
fn what(task: &Task) -> String {
    let text = match task.work() {
        Work::Milestone => "a milestone, completes when it is ready".to_owned(),
        Work::Question(question) => {
            format!("asks {:?}", zeph_common::escape_terminal(&question.text))
        }
        Work::Action { name, params } => match params.to_value() {
            Ok(params) => command_line(&params).unwrap_or_else(|| name.to_string()),
            Err(_) => name.to_string(),
        },
    };
    let text = zeph_common::truncate(&text, 400, Boundary::Char).to_string();
    let asks = task.rules().approve.is_some();
    format!(
        "{}{}",
        if asks { "after approval, " } else { "" },
        zeph_common::escape_terminal(&text)
    )
}

fn command_line(params: &Value) -> Option<String> {
    if let Some(prompt) = params.get("prompt").and_then(Value::as_str) {
        let agent = params.get("agent").and_then(Value::as_str);
        let agent = agent.map_or_else(|| "any agent".to_owned(), |name| format!("agent {name}"));
        return Some(format!("asks {agent}: {prompt}"));
    }
    if let Some(script) = params.get("shell").and_then(Value::as_str) {
        return Some(format!("sh -c {}", out::quoted(script)));
    }
    let argv = params.get("argv")?.as_array()?;
    let words = argv
        .iter()
        .map(|word| out::quoted(word.as_str().unwrap_or_default()));
    Some(words.collect::<Vec<_>>().join(" "))
}

fn to_json(loaded: &LoadedPlan) -> Value {
    let graph: &TaskGraph = &loaded.graph;
    let tasks: Vec<Value> = graph
        .tasks()
        .map(|(id, task)| {
            let needs: Vec<&str> = (graph.parents(id).iter())
                .map(|&parent| graph.task(parent).name())
                .collect();
            json!({ "task": task.name(), "needs": needs, "does": what(task) })
        })
        .collect();
    json!({ "dry_run": true, "goal": loaded.bound.goal(), "tasks": tasks })
}
