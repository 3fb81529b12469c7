//! The graph of a plan: resolves dependencies, and lets zeph-graph order the tasks and find cycles.

use std::collections::BTreeSet;

use zeph_diagnostics::{list, quote};
use zeph_graph::wire::{GraphSpec, TaskSpec};
use zeph_graph::{TaskGraph, Topology};

use super::draft::TaskDraft;
use super::names::Names;
use crate::plan::PlanLimits;
use crate::plan::finding::{Findings, code, repair};

/// The graph of the tasks; `None` after a cycle, or if a task has no name of its own. Each task comes
/// after its dependencies, the first in the document before the others.
pub(super) fn connect(
    tasks: &[TaskDraft],
    names: &Names,
    limits: &PlanLimits,
    found: &mut Findings,
) -> Option<TaskGraph> {
    let mut spec = GraphSpec::default();
    for (position, task) in tasks.iter().enumerate() {
        let needs = resolve(position, task, names, found);
        if let Some(name) = &names.names[position] {
            spec.tasks.push(TaskSpec {
                name: name.clone(),
                needs,
                ..TaskSpec::default()
            });
        }
    }
    let graph = match TaskGraph::try_from(spec) {
        Ok(graph) => graph,
        Err(problems) => {
            for one in &problems {
                let position = one.subject.as_deref().and_then(|name| names.position(name));
                let at = position.map_or("/tasks".to_owned(), |one| tasks[one].at("needs"));
                let help = "remove one of these needs; needs may name earlier tasks only";
                found.problem(one.code, at, &one.message, help);
            }
            return None;
        }
    };
    check_shape(&Topology::of(&graph), limits, found);
    let ordered = || graph.tasks().map(|(_, task)| task.name());
    if !ordered().is_sorted_by_key(|name| names.position(name)) {
        let moved = list(ordered());
        let message = format!("tasks reordered after their needs: {moved}");
        found.repair(repair::REORDERED, "/tasks", message);
    }
    (graph.len() == tasks.len()).then_some(graph)
}

/// The names of a task's dependencies, each once.
fn resolve(position: usize, task: &TaskDraft, names: &Names, found: &mut Findings) -> Vec<String> {
    let (mut needs, mut seen) = (Vec::new(), BTreeSet::new());
    for (index, written) in &task.needs {
        if found.is_full() {
            break;
        }
        let at = task.at(&format!("needs/{index}"));
        let Some((need, name, repaired)) = names.find(written) else {
            let message = format!("unknown task {}", quote(written));
            let help = found.help_for(written, names.known());
            found.problem(code::UNKNOWN_NEED, at, message, help);
            continue;
        };
        if need == position {
            let message = format!("{} needs itself", quote(written));
            let help = "name the tasks that must end before it, or none";
            found.problem(code::SELF_NEED, at, message, help);
            continue;
        }
        if let Some(code) = repaired {
            let message = format!("{} read as {}", quote(written), quote(name));
            found.repair(code, &at, message);
        }
        if seen.insert(need) {
            needs.push(name.to_owned());
        } else {
            let message = format!("{} is listed twice", quote(name));
            found.repair(repair::LISTED_TWICE, at, message);
        }
    }
    needs
}

fn check_shape(shape: &Topology, limits: &PlanLimits, found: &mut Findings) {
    let (depth, width) = (shape.depth(), shape.width());
    if depth > limits.max_depth {
        let most = limits.max_depth;
        let message = format!("the longest path has {depth} tasks; at most {most} are allowed");
        let help = "combine several steps in one task";
        found.problem(code::TOO_DEEP, "/tasks", message, help);
    }
    if width > limits.max_width {
        let most = limits.max_width;
        let message = format!("{width} tasks may run in parallel; at most {most} are allowed");
        let help = "combine several of them in one task";
        found.problem(code::TOO_WIDE, "/tasks", message, help);
    }
}
