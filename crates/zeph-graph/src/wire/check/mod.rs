//! Validation of an untrusted graph or patch: all its problems at once, then the order of its tasks.

mod cycles;
mod fallbacks;
mod names;
mod order;
mod removals;
mod rules;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use zeph_diagnostics::quote;

use super::{Code, Diagnostic, Diagnostics, GraphSpec, Limits, TaskSpec, VERSION, code};
use crate::{TaskGraph, TaskId};

/// The origin of a graph, which decides which checks apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Untrusted: names must be safe to show, and questions must accept their default answers.
    Outside,
    /// This program's store: everything that a [`TaskGraph`](crate::TaskGraph) can hold is accepted.
    Store,
}

/// The results of the checks of a spec without problems.
pub(crate) struct Checked {
    /// Positions in the spec in the order of the graph.
    pub(crate) order: Vec<u32>,
    /// The dependencies of each task of the spec: a task of the base by its id, a task of the spec by its
    /// position plus the size of the base.
    pub(crate) needs: Vec<Vec<u32>>,
    /// The fallback of each task of the spec, by its position.
    pub(crate) fallbacks: Vec<Option<u32>>,
}

/// Checks a spec, which is a whole graph or a patch of `base`, and reports all problems.
///
/// Cost: the spec, and the lanes of the base; a pass over the base's names where one is misspelt.
pub(crate) fn check(
    spec: &GraphSpec,
    base: Option<&TaskGraph>,
    limits: &Limits,
    origin: Origin,
) -> Result<Checked, Diagnostics> {
    if spec.version != VERSION {
        let message = format!("version {} is not known", spec.version);
        let help = format!("write version {VERSION}");
        let one = Diagnostic::new(code::UNKNOWN_VERSION, message).help(help);
        return Err(one.into());
    }
    let nothing = TaskGraph::new();
    let mut found = Diagnostics::new();
    let removed = removals::check(spec, base, &mut found);
    let (is_patch, base) = (base.is_some(), base.unwrap_or(&nothing));
    // The checks below cost memory for each task and time for each pair of lanes, so a graph that is
    // too large is refused here.
    let max_tasks = limits.max_tasks.min(crate::MAX_TASKS);
    let sizes = [
        (
            code::TOO_MANY_TASKS,
            "tasks",
            base.len() + spec.tasks.len(),
            max_tasks,
        ),
        (
            code::TOO_MANY_LANES,
            "lanes",
            spec.lanes.len(),
            limits.max_lanes,
        ),
    ];
    for (code, what, count, most) in sizes {
        if count > most {
            let message = format!("there are {count} {what}, and at most {most} are allowed");
            return Err(Diagnostic::new(code, message).into());
        }
    }
    names::check_lanes(spec, is_patch, origin, &mut found);
    let by_name = names::check_tasks(spec, base, &removed, origin, &mut found);
    let needs = resolve(spec, base, &removed, limits, &by_name, &mut found);
    rules::check(spec, base, origin, &mut found);
    check_finalizers(spec, base, &needs, &mut found);
    let fallbacks = fallbacks::check(spec, base, &by_name, &needs, &mut found);
    let within = within(&needs, base);
    let order = order::topological(&within, &fallbacks);
    if order.len() < spec.tasks.len() {
        cycles::report(spec, &within, &order, &mut found);
    } else {
        check_depth(spec, limits, &within, &order, &mut found);
    }
    found.into_result()?;
    Ok(Checked {
        order,
        needs,
        fallbacks,
    })
}

/// The dependencies between tasks of the spec. Dependencies on the base cannot be part of a cycle.
fn within<'a>(needs: &'a [Vec<u32>], base: &TaskGraph) -> Cow<'a, [Vec<u32>]> {
    // A base holds fewer tasks than a u32 counts.
    let first = base.len() as u32;
    if first == 0 {
        return Cow::Borrowed(needs);
    }
    let inner = |needs: &Vec<u32>| {
        let inner = needs.iter().filter_map(|need| need.checked_sub(first));
        inner.collect()
    };
    Cow::Owned(needs.iter().map(inner).collect())
}

/// Resolves the names of `needs` to numbers; unknown names and self-dependencies are reported and omitted.
fn resolve(
    spec: &GraphSpec,
    base: &TaskGraph,
    removed: &HashSet<&str>,
    limits: &Limits,
    by_name: &HashMap<&str, u32>,
    found: &mut Diagnostics,
) -> Vec<Vec<u32>> {
    let names = spec.tasks.iter().map(|task| &*task.name);
    let known = names.chain(base.names());
    let first = base.len() as u32;
    let mut all = Vec::with_capacity(spec.tasks.len());
    for task in &spec.tasks {
        if task.needs.len() > limits.max_needs {
            let message = format!(
                "task {} depends on {} tasks, and at most {} are allowed",
                quote(&task.name),
                task.needs.len(),
                limits.max_needs
            );
            found.push(of(task, code::TOO_MANY_NEEDS, message));
        }
        let mut positions = Vec::with_capacity(task.needs.len());
        for (i, need) in task.needs.iter().enumerate() {
            let span = task.needs_spans.get(i).or(task.span.as_ref()).cloned();
            if *need == task.name {
                let message = format!("task {} depends on itself", quote(need));
                let one = Diagnostic::new(code::SELF_DEPENDENCY, message);
                found.push(about(one, &task.name, span));
            } else if let Some(&position) = by_name.get(need.as_str()) {
                positions.push(first + position);
            } else if let Some(id) = base.find(need)
                && !removed.contains(need.as_str())
                && !base.is_removed(id)
            {
                positions.push(id.as_u32());
            } else {
                let (name, need_shown) = (quote(&task.name), quote(need));
                let why = match base.find(need) {
                    Some(_) => "is removed",
                    None => "does not exist",
                };
                let message = format!("task {name} depends on {need_shown}, which {why}");
                let one = Diagnostic::new(code::UNKNOWN_DEPENDENCY, message);
                let near = found.suggest(need, known.clone());
                found.push(about(one.suggest(near), &task.name, span));
            }
        }
        all.push(positions);
    }
    all
}

/// Reports each task that does not run at the end and depends on one that does.
fn check_finalizers(
    spec: &GraphSpec,
    base: &TaskGraph,
    needs: &[Vec<u32>],
    found: &mut Diagnostics,
) {
    let first = base.len() as u32;
    for (task, needs) in spec
        .tasks
        .iter()
        .zip(needs)
        .filter(|(task, _)| !task.finally)
    {
        for &need in needs {
            let (name, finally) = match need.checked_sub(first) {
                Some(position) => {
                    let parent = &spec.tasks[position as usize];
                    (parent.name.as_str(), parent.finally)
                }
                None => {
                    let parent = base.task(TaskId::from_index(need));
                    (parent.name(), parent.rules().finally)
                }
            };
            if finally {
                let message = format!(
                    "task {} depends on {}, which runs at the end",
                    quote(&task.name),
                    quote(name)
                );
                let help = "write `finally = true` for both, or for neither";
                found.push(of(task, code::NEEDS_FINALIZER, message).help(help));
            }
        }
    }
}

fn check_depth(
    spec: &GraphSpec,
    limits: &Limits,
    needs: &[Vec<u32>],
    order: &[u32],
    found: &mut Diagnostics,
) {
    let mut depth = vec![1u32; needs.len()];
    for &position in order {
        let above = needs[position as usize]
            .iter()
            .map(|&need| depth[need as usize]);
        let above = above.max().unwrap_or(0);
        depth[position as usize] = above + 1;
        if above as usize == limits.max_depth {
            // Only the first task beyond the limit is reported: its descendants are too deep as well.
            let task = &spec.tasks[position as usize];
            let message = format!(
                "task {} has {above} tasks above it in a row, and at most {} tasks in a row are allowed",
                quote(&task.name),
                limits.max_depth
            );
            found.push(of(task, code::TOO_DEEP, message));
            return;
        }
    }
}

/// A problem of a task, at the place where the task is written.
fn of(task: &TaskSpec, code: Code, message: impl Into<String>) -> Diagnostic {
    about(
        Diagnostic::new(code, message),
        &task.name,
        task.span.clone(),
    )
}

/// The problem with the (truncated) name and the span of its task.
fn about(one: Diagnostic, task: &str, span: Option<Range<usize>>) -> Diagnostic {
    let name: String = task.chars().take(crate::MAX_NAME_BYTES).collect();
    let one = one.subject(name);
    match span {
        Some(span) => one.at(span),
        None => one,
    }
}
