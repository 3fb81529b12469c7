//! The graph: needs become edges, tasks get their order, circles are shown.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::collections::BinaryHeap;

use super::names::Names;
use super::shape::TaskDraft;
use crate::plan::finding::{Findings, show};
use crate::plan::{
    PlanCode, PlanLimits, PlanOnFailure, PlannedTask, PlannedWork, RepairCode, TaskKind,
};

/// A draft whose needs are known to make sense.
#[derive(Debug)]
pub(super) struct Graph {
    names: Vec<String>,
    /// By position in the draft: positions of needs, each once.
    needs: Vec<Vec<usize>>,
    /// Positions, each behind all that it needs.
    order: Vec<usize>,
    pub(super) depth: usize,
    pub(super) width: usize,
}

impl Graph {
    /// The tasks in order, with what they do.
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
                    Some(TaskKind::Question) => PlanOnFailure::default(),
                    Some(TaskKind::Agent | TaskKind::Command) | None => draft.on_failure,
                },
                expected_tokens: draft.expected_tokens,
            })
        };
        self.order.iter().copied().filter_map(task).collect()
    }
}

/// Connects the tasks; `None` if they cannot be put in order. Linear in tasks and needs, but for a
/// logarithm of the order.
pub(super) fn connect(
    tasks: &[TaskDraft],
    limits: &PlanLimits,
    found: &mut Findings,
) -> Option<Graph> {
    let names = Names::of(tasks, found);
    let needs: Vec<Vec<usize>> = tasks
        .iter()
        .enumerate()
        .map(|(position, task)| resolve(position, task, &names, found))
        .collect();
    let (order, open) = sort(&needs);
    if order.len() < tasks.len() {
        tell_circles(tasks, &needs, &open, &names, found);
        return None;
    }
    if order
        .iter()
        .enumerate()
        .any(|(place, &position)| place != position)
    {
        let moved = order.iter().map(|&position| show(&names.of[position]));
        let moved: Vec<String> = moved.take(12).collect();
        let dots = if order.len() > moved.len() {
            ", …"
        } else {
            ""
        };
        let message = format!("tasks put behind their needs: {}{dots}", moved.join(", "));
        found.repair(RepairCode::Reordered, "/tasks", message);
    }
    let (depth, width) = measure(tasks, &needs, &order, limits, found);
    Some(Graph {
        names: names.of,
        needs,
        order,
        depth,
        width,
    })
}

/// The positions of what a task needs, each once.
fn resolve(position: usize, task: &TaskDraft, names: &Names, found: &mut Findings) -> Vec<usize> {
    let (mut needs, mut seen) = (Vec::new(), BTreeSet::new());
    for (index, written) in &task.needs {
        if found.is_full() {
            break;
        }
        let at = || task.at(&format!("needs/{index}"));
        let Some(need) = names.find(written) else {
            let message = format!("there is no task {}", show(written));
            found.problem(PlanCode::UnknownNeed, at(), message, names.suggest(written));
            continue;
        };
        if need.position == position {
            let message = format!("{} needs itself", show(written));
            let help = Some("name what must be done before it, or nothing".to_owned());
            found.problem(PlanCode::SelfNeed, at(), message, help);
            continue;
        }
        let name = &names.of[need.position];
        if let Some(code) = need.mended {
            let message = format!("{} taken as {}", show(written), show(name));
            found.repair(code, at(), message);
        }
        if seen.insert(need.position) {
            needs.push(need.position);
        } else {
            let message = format!("{} is listed twice", show(name));
            found.repair(RepairCode::ListedTwice, at(), message);
        }
    }
    needs
}

/// Positions in order, the first in the document first among those that may come next; and how many
/// needs of each task were left open.
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

/// Tells each circle once, as a way through it, and every other task that can never start.
fn tell_circles(
    tasks: &[TaskDraft],
    needs: &[Vec<usize>],
    open: &[usize],
    names: &Names,
    found: &mut Findings,
) {
    // Each task with open needs has an open one among them; following it must come back.
    let next = |position: usize| needs[position].iter().copied().find(|&need| open[need] > 0);
    let mut walk_of = vec![0_usize; needs.len()];
    let mut in_circle = vec![false; needs.len()];
    for start in (0..needs.len()).filter(|&position| open[position] > 0) {
        let mut at = start;
        while walk_of[at] == 0 {
            walk_of[at] = start + 1;
            match next(at) {
                Some(need) => at = need,
                None => break,
            }
        }
        if walk_of[at] != start + 1 || in_circle[at] {
            continue;
        }
        let mut circle = vec![at];
        in_circle[at] = true;
        while let Some(need) = next(circle[circle.len() - 1]).filter(|need| !in_circle[*need]) {
            in_circle[need] = true;
            circle.push(need);
        }
        tell_circle(tasks, &circle, names, found);
    }
    for position in (0..needs.len()).filter(|&position| open[position] > 0) {
        if in_circle[position] {
            continue;
        }
        let need = next(position).map_or_else(String::new, |need| show(&names.of[need]));
        let message = format!(
            "{} can never start: it needs {need}, which never ends",
            show(&names.of[position])
        );
        let help = Some("break the circle that it depends on".to_owned());
        found.problem(
            PlanCode::NeverFires,
            tasks[position].at("needs"),
            message,
            help,
        );
    }
}

fn tell_circle(tasks: &[TaskDraft], circle: &[usize], names: &Names, found: &mut Findings) {
    const SHOWN: usize = 20;
    // The one that is written first begins, so that the picture does not depend on the walk.
    let least = circle.iter().min();
    let start = circle
        .iter()
        .position(|one| Some(one) == least)
        .unwrap_or(0);
    let around = circle.iter().cycle().skip(start).take(circle.len());
    let mut shown: Vec<String> = around
        .take(SHOWN)
        .map(|&one| show(&names.of[one]))
        .collect();
    if circle.len() > SHOWN {
        shown.push(format!("… {} more …", circle.len() - SHOWN));
    }
    shown.push(show(&names.of[circle[start]]));
    let message = format!("tasks need each other in a circle: {}", shown.join(" → "));
    let help = Some("take one of these needs away; needs name earlier tasks only".to_owned());
    found.problem(
        PlanCode::Cycle,
        tasks[circle[start]].at("needs"),
        message,
        help,
    );
}

/// Depth and width, each told if it is above its limit.
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
        let message = format!("{depth} tasks need each other in a row, and {most} may");
        let help = Some("put several steps into one task".to_owned());
        found.problem(
            PlanCode::TooDeep,
            tasks[position].at("needs"),
            message,
            help,
        );
    }
    if width > limits.max_width {
        let most = limits.max_width;
        let message = format!("{width} tasks may run side by side, and {most} are allowed");
        let help = Some("put several of them into one task".to_owned());
        found.problem(PlanCode::TooWide, "/tasks", message, help);
    }
    (depth, width)
}
