//! Additions: the tasks that tasks have added to a run, which is retried with its own graph.

use std::collections::BTreeSet;

use zeph_graph::wire::GraphSpec;
use zeph_graph::{Record, TaskGraph};

use super::RetryPlan;
use crate::view::RunView;

/// The graph of the run without what the tasks have added that run again; `None` if they have added nothing, or
/// if other tasks depend on it.
pub(super) fn left_out(view: &RunView, plan: &RetryPlan) -> Option<TaskGraph> {
    let names = |patches: usize| -> BTreeSet<String> {
        let graph = view.graph().as_written_after(patches);
        let names = graph.tasks().map(|(_, task)| task.name().to_owned());
        names.collect()
    };
    let runs_again = |name: &str| {
        let task = plan.graph.find(name);
        task.is_some_and(|task| plan.runs_again(task).is_some())
    };
    let mut gone = BTreeSet::new();
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
