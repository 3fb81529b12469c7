//! Revision: the patch that leads from the graph of a run to another version of its plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{GraphSpec, TaskSpec};
use crate::{Approval, TaskGraph, TaskId};

/// What a new version of a plan changes in the graph of a run; the names are in the order of the graphs.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Revision {
    /// Tasks that the run does not have.
    pub new: Vec<String>,
    /// Tasks with another definition.
    pub replaced: Vec<String>,
    /// Tasks that depend on other tasks, or on a new definition, and are the same otherwise.
    pub rewired: Vec<String>,
    /// Tasks that the plan does not have.
    pub removed: Vec<String>,
    /// All of it as a patch, for [`TaskGraph::extend`].
    pub patch: GraphSpec,
}

/// What `plan` changes in the graph of a run. Tasks are compared by name; items and tasks that were removed before
/// are left out. What depends on a changed task is listed anew with it if `can_change` says so, which is asked for
/// tasks of the run's graph.
///
/// The patch may be one that the run does not accept: it changes each task that is different, started or not.
///
/// # Examples
/// ```
/// use zeph_graph::{Task, TaskGraph, wire};
/// let mut run = TaskGraph::new();
/// let build = run.add_task(Task::new("build").action("make"), []);
/// let test = run.add_task("test", [build]);
/// run.add_task("mail", [test]);
/// let mut plan = TaskGraph::new();
/// let build = plan.add_task(Task::new("build").action("make"), []);
/// let test = plan.add_task(Task::new("test").action("nextest"), [build]);
/// plan.add_task("publish", [test]);
/// plan.add_task("mail", [test]);
///
/// let revision = wire::revision(&run, &plan, |_| true);
/// assert_eq!(revision.new, ["publish"]);
/// assert_eq!(revision.replaced, ["test"]);
/// assert_eq!(revision.rewired, ["mail"]);
/// assert_eq!(run.extend(&revision.patch)?, 3..6);
/// assert_eq!(run.as_written().len(), 4);
/// # Ok::<(), wire::Diagnostics>(())
/// ```
#[must_use]
pub fn revision(
    run: &TaskGraph,
    plan: &TaskGraph,
    can_change: impl Fn(TaskId) -> bool,
) -> Revision {
    let specs = |graph: &TaskGraph| {
        let tasks = GraphSpec::from(graph).tasks.into_iter();
        tasks.map(|mut task| {
            // The driver of the run adds tools to approvals, also to those of a patch.
            task.approve = task.approve.and_then(Approval::as_written);
            (task.name.clone(), task)
        })
    };
    let old: BTreeMap<String, TaskSpec> = specs(&run.as_written()).collect();
    let new: BTreeMap<String, TaskSpec> = specs(plan).collect();
    let mut touched = BTreeSet::new();
    for (name, task) in &old {
        if new.get(name) != Some(task)
            && let Some(id) = run.find(name)
        {
            touch(run, id, &can_change, &mut touched);
        }
    }
    let mut revision = Revision::default();
    for id in touched {
        let name = run.task(id).name().to_owned();
        revision.patch.removes.push(name.clone());
        match new.get(&name) {
            None => revision.removed.push(name),
            Some(task) if is_rewired(&old[&name], task) => revision.rewired.push(name),
            Some(_) => revision.replaced.push(name),
        }
    }
    let removes = &revision.patch.removes;
    for (name, task) in specs(plan) {
        let is_new = !old.contains_key(&name);
        if is_new || removes.contains(&name) {
            revision.patch.tasks.push(task);
        }
        if is_new {
            revision.new.push(name);
        }
    }
    revision
}

/// Adds a task that changes, and all that is listed anew with it: what depends on it and can still change, its
/// fallback, and the task whose fallback it is.
fn touch(
    run: &TaskGraph,
    task: TaskId,
    can_change: &impl Fn(TaskId) -> bool,
    touched: &mut BTreeSet<TaskId>,
) {
    let links = run.links();
    let mut open = vec![task];
    while let Some(id) = open.pop() {
        if !touched.insert(id) {
            continue;
        }
        let children = links.children(id).iter().copied();
        let partners = run.fallback(id).into_iter().chain(run.fallback_of(id));
        let left = |id: &TaskId| run.item(*id).is_none() && !run.is_removed(*id) && can_change(*id);
        open.extend(children.chain(partners).filter(left));
    }
}

/// Whether two definitions differ at most in what they depend on.
fn is_rewired(old: &TaskSpec, new: &TaskSpec) -> bool {
    let needs = old.needs.clone();
    let new = TaskSpec {
        needs,
        ..new.clone()
    };
    *old == new
}
