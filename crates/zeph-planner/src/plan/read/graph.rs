//! The graph of a plan: resolves dependencies, orders the tasks, and reports cycles.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::collections::BinaryHeap;

use zeph_diagnostics::quote;
use zeph_graph::OnFailure;

use super::names::Names;
use super::shape::TaskDraft;
use crate::plan::finding::{Findings, code, repair};
use crate::plan::{PlanLimits, PlannedTask, PlannedWork, TaskKind};

/// The order of a draft without cycles.
#[derive(Debug)]
pub(super) struct Graph {
    names: Vec<String>,
    /// By position in the draft: the positions of its dependencies, each once.
    needs: Vec<Vec<usize>>,
    /// Positions, each after its dependencies.
    order: Vec<usize>,
    pub(super) depth: usize,
    pub(super) width: usize,
}

impl Graph {
    /// The tasks in order, with their work.
    pub(super) fn planned(
        &self,
        drafts: &[TaskDraft],
        works: Vec<PlannedWork>,
    ) -> Vec<PlannedTask> {
        let mut works: Vec<Option<PlannedWork>> = works.into_iter().map(Some).collect();
        let task = |position: usize| {
            let draft = drafts.get(position)?;
            let needs = self.needs[position]
                .iter()
                .map(|&need| self.names[need].clone());
            Some(PlannedTask {
                name: self.names[position].clone(),
                needs: needs.collect(),
                work: works.get_mut(position)?.take()?,
                trigger: draft.trigger,
                on_failure: match draft.kind {
                    Some(TaskKind::Question) => OnFailure::default(),
                    Some(TaskKind::Agent | TaskKind::Command) | None => draft.on_failure.clone(),
                },
                expected_tokens: draft.expected_tokens,
            })
        };
        self.order.iter().copied().filter_map(task).collect()
    }
}

/// Connects the tasks; `None` after a cycle. Time: `n log n` in tasks and dependencies.
pub(super) fn connect(
    tasks: &[TaskDraft],
    limits: &PlanLimits,
    found: &mut Findings,
) -> Option<Graph> {
    let names = Names::new(tasks, found);
    let needs: Vec<Vec<usize>> = tasks
        .iter()
        .enumerate()
        .map(|(position, task)| resolve(position, task, &names, found))
        .collect();
    let (order, open) = sort(&needs);
    if order.len() < tasks.len() {
        report_cycles(tasks, &needs, &open, &names, found);
        return None;
    }
    if order
        .iter()
        .enumerate()
        .any(|(place, &position)| place != position)
    {
        let moved = order.iter().map(|&position| quote(&names.names[position]));
        let moved: Vec<String> = moved.take(12).collect();
        let dots = if order.len() > moved.len() {
            ", …"
        } else {
            ""
        };
        let message = format!(
            "tasks reordered after their needs: {}{dots}",
            moved.join(", ")
        );
        found.repair(repair::REORDERED, "/tasks", message);
    }
    let (depth, width) = measure(tasks, &needs, &order, limits, found);
    Some(Graph {
        names: names.names,
        needs,
        order,
        depth,
        width,
    })
}

/// The positions of a task's dependencies, each once.
fn resolve(position: usize, task: &TaskDraft, names: &Names, found: &mut Findings) -> Vec<usize> {
    let (mut needs, mut seen) = (Vec::new(), BTreeSet::new());
    for (index, written) in &task.needs {
        if found.is_full() {
            break;
        }
        let at = || task.at(&format!("needs/{index}"));
        let Some(need) = names.find(written) else {
            let message = format!("unknown task {}", quote(written));
            let help = names.help_for(written, found);
            found.problem(code::UNKNOWN_NEED, at(), message, help);
            continue;
        };
        if need.position == position {
            let message = format!("{} needs itself", quote(written));
            let help = Some("name the tasks that must end before it, or none".to_owned());
            found.problem(code::SELF_NEED, at(), message, help);
            continue;
        }
        let name = &names.names[need.position];
        if let Some(code) = need.repair {
            found.read_as(code, at(), written, name);
        }
        if seen.insert(need.position) {
            needs.push(need.position);
        } else {
            let message = format!("{} is listed twice", quote(name));
            found.repair(repair::LISTED_TWICE, at(), message);
        }
    }
    needs
}

/// The positions in topological order (the first in the document among those that are ready), and the
/// number of unresolved dependencies of each task.
fn sort(needs: &[Vec<usize>]) -> (Vec<usize>, Vec<usize>) {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    for (position, needs) in needs.iter().enumerate() {
        for &need in needs {
            children[need].push(position);
        }
    }
    let free = open.iter().enumerate().filter(|(_, open)| **open == 0);
    let mut free: BinaryHeap<_> = free.map(|(position, _)| Reverse(position)).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(position)) = free.pop() {
        order.push(position);
        for &child in &children[position] {
            open[child] -= 1;
            if open[child] == 0 {
                free.push(Reverse(child));
            }
        }
    }
    (order, open)
}

/// Reports each cycle once, and every other task that can never start.
fn report_cycles(
    tasks: &[TaskDraft],
    needs: &[Vec<usize>],
    open: &[usize],
    names: &Names,
    found: &mut Findings,
) {
    // A task with unresolved dependencies depends on another such task, so following them ends in a
    // cycle.
    let next = |position: usize| needs[position].iter().copied().find(|&need| open[need] > 0);
    let mut walk_of = vec![0_usize; needs.len()];
    let mut in_cycle = vec![false; needs.len()];
    for start in (0..needs.len()).filter(|&position| open[position] > 0) {
        let mut at = start;
        while walk_of[at] == 0 {
            walk_of[at] = start + 1;
            match next(at) {
                Some(need) => at = need,
                None => break,
            }
        }
        if walk_of[at] != start + 1 || in_cycle[at] {
            continue;
        }
        let mut cycle = vec![at];
        in_cycle[at] = true;
        while let Some(need) = next(cycle[cycle.len() - 1]).filter(|need| !in_cycle[*need]) {
            in_cycle[need] = true;
            cycle.push(need);
        }
        report_cycle(tasks, &cycle, names, found);
    }
    for position in (0..needs.len()).filter(|&position| open[position] > 0) {
        if in_cycle[position] {
            continue;
        }
        let need = next(position).map_or_else(String::new, |need| quote(&names.names[need]));
        let message = format!(
            "{} can never start, because it needs {need}, which never ends",
            quote(&names.names[position])
        );
        let help = Some("break the cycle that it depends on".to_owned());
        found.problem(
            code::NEVER_FIRES,
            tasks[position].at("needs"),
            message,
            help,
        );
    }
}

fn report_cycle(tasks: &[TaskDraft], cycle: &[usize], names: &Names, found: &mut Findings) {
    const SHOWN: usize = 20;
    // Starting with the first task of the document makes the message independent of the search.
    let least = cycle.iter().min();
    let start = cycle.iter().position(|one| Some(one) == least).unwrap_or(0);
    let around = cycle.iter().cycle().skip(start).take(cycle.len());
    let mut shown: Vec<String> = around
        .take(SHOWN)
        .map(|&one| quote(&names.names[one]))
        .collect();
    if cycle.len() > SHOWN {
        shown.push(format!("… {} more …", cycle.len() - SHOWN));
    }
    shown.push(quote(&names.names[cycle[start]]));
    let message = format!(
        "tasks depend on each other in a cycle: {}",
        shown.join(" → ")
    );
    let help = Some("remove one of these needs; needs may name earlier tasks only".to_owned());
    found.problem(code::CYCLE, tasks[cycle[start]].at("needs"), message, help);
}

/// Depth and width; reports each one above its limit.
fn measure(
    tasks: &[TaskDraft],
    needs: &[Vec<usize>],
    order: &[usize],
    limits: &PlanLimits,
    found: &mut Findings,
) -> (usize, usize) {
    let mut level = vec![0_usize; needs.len()];
    let mut at_level: Vec<usize> = Vec::new();
    let mut deep = None;
    for &position in order {
        let below = needs[position].iter().map(|&need| level[need] + 1);
        level[position] = below.max().unwrap_or(0);
        if at_level.len() <= level[position] {
            at_level.push(0);
        }
        at_level[level[position]] += 1;
        if level[position] >= limits.max_depth && deep.is_none() {
            deep = Some(position);
        }
    }
    let depth = at_level.len();
    let width = at_level.iter().copied().max().unwrap_or(0);
    if let Some(position) = deep {
        let most = limits.max_depth;
        let message = format!("the longest path has {depth} tasks; at most {most} are allowed");
        let help = Some("combine several steps in one task".to_owned());
        found.problem(code::TOO_DEEP, tasks[position].at("needs"), message, help);
    }
    if width > limits.max_width {
        let most = limits.max_width;
        let message = format!("{width} tasks may run in parallel; at most {most} are allowed");
        let help = Some("combine several of them in one task".to_owned());
        found.problem(code::TOO_WIDE, "/tasks", message, help);
    }
    (depth, width)
}
