//! Additions: the tasks that tasks have added to a run, which is retried with its own graph, or taken back.

use std::collections::BTreeSet;

use zeph_graph::wire::GraphSpec;
use zeph_graph::{Record, SkipWhy, TaskGraph, TaskState};

use super::{RetryPlan, names_task};
use crate::view::RunView;

/// The graph of the run without what the tasks have added that run again, and without what they have taken back,
/// unless the caller chose it; `None` if that is nothing, or if other tasks depend on it.
pub(super) fn left_out(view: &RunView, plan: &RetryPlan, chosen: &[&str]) -> Option<TaskGraph> {
    let names = |patches: usize| -> BTreeSet<String> {
        let graph = view.graph().as_written_after(patches);
        let names = graph.tasks().map(|(_, task)| task.name().to_owned());
        names.collect()
    };
    let runs_again = |name: &str| {
        let task = plan.graph.find(name);
        task.is_some_and(|task| plan.runs_again(task).is_some())
    };
    let is_chosen = |name: &str| chosen.iter().any(|chosen| names_task(chosen, name));
    let withdrawn = withdrawn(view).filter(|name| !is_chosen(name));
    let mut gone: BTreeSet<String> = withdrawn.map(str::to_owned).collect();
    let mut patches = 0;
    for entry in &view.entries {
        let Record::Amended { task, .. } = entry.record else {
            continue;
        };
        patches += 1;
        let by = task.map(|task| view.graph().task(task).name());
        if by.is_some_and(|by| gone.contains(by) || runs_again(by)) {
            gone.extend(names(patches).difference(&names(patches - 1)).cloned());
        }
    }
    if gone.is_empty() {
        return None;
    }
    let mut spec = GraphSpec::from(&view.graph().as_written());
    spec.tasks.retain(|task| !gone.contains(&task.name));
    TaskGraph::try_from(spec).ok()
}

/// The graph without what tasks have taken back; as it is, if other tasks depend on that.
pub(super) fn without_withdrawn(view: &RunView, graph: TaskGraph) -> TaskGraph {
    let gone: BTreeSet<&str> = withdrawn(view).collect();
    if gone.is_empty() {
        return graph;
    }
    let mut spec = GraphSpec::from(&graph);
    spec.tasks.retain(|task| !gone.contains(&*task.name));
    TaskGraph::try_from(spec).unwrap_or(graph)
}

/// The names of the tasks that the tasks which proposed them took back.
fn withdrawn(view: &RunView) -> impl Iterator<Item = &str> {
    let why = SkipWhy::Withdrawn;
    let tasks = view.graph().tasks();
    let tasks =
        tasks.filter(move |(id, _)| view.scheduler.task(*id).state() == TaskState::Skipped { why });
    tasks.map(|(_, task)| task.name())
}
