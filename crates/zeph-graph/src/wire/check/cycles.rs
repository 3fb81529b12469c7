//! Cycles: one path for each group of tasks that depend on each other.

use std::collections::VecDeque;

use zeph_diagnostics::quote;

use super::super::{Diagnostics, code};
use super::{GraphSpec, of};

/// The most names of a path that are written out.
const SHOWN: usize = 12;

const NONE: u32 = u32::MAX;

/// Reports one cycle for each strongly connected component among the tasks that are not in `order`: a
/// cycle through the first task of the component.
pub(super) fn report(spec: &GraphSpec, needs: &[Vec<u32>], order: &[u32], found: &mut Diagnostics) {
    let mut component = Components::of(needs, order);
    let mut reported = vec![false; needs.len()];
    for position in 0..needs.len() as u32 {
        let group = component.of_task[position as usize];
        if group == NONE || component.size[group as usize] < 2 || reported[group as usize] {
            continue;
        }
        reported[group as usize] = true;
        let path = shortest(position, needs, &mut component);
        let task = &spec.tasks[position as usize];
        let message = format!(
            "tasks depend on each other in a circle: {}",
            show(spec, &path)
        );
        let next = &spec.tasks[path[1] as usize].name;
        let need = task.needs.iter().position(|need| need == next);
        let span = need.and_then(|at| task.needs_spans.get(at).cloned());
        let mut one = of(task, code::CYCLE, message)
            .help("each needs the next one; remove one of these dependencies");
        one.span = span.map(Into::into).or(one.span);
        found.push(one);
    }
}

/// `a → b → a`; the middle of a long cycle is omitted.
fn show(spec: &GraphSpec, path: &[u32]) -> String {
    let name = |position: &u32| {
        let name = &spec.tasks[*position as usize].name;
        let plain = name.len() <= crate::MAX_NAME_BYTES
            && (name.chars()).all(|c| c.is_alphanumeric() || "_-.[]".contains(c));
        // Plain names are unchanged; other names are quoted, escaped and truncated.
        if plain { name.clone() } else { quote(name) }
    };
    let mut names: Vec<String> = if path.len() > SHOWN {
        let half = SHOWN / 2;
        let left_out = format!("… {} more …", path.len() - 2 * half);
        let head = path[..half].iter().map(name);
        let tail = path[path.len() - half..].iter().map(name);
        head.chain([left_out]).chain(tail).collect()
    } else {
        path.iter().map(name).collect()
    };
    names.push(name(&path[0]));
    names.join(" → ")
}

/// The shortest cycle through a task of a component, starting with the task.
fn shortest(from: u32, needs: &[Vec<u32>], components: &mut Components) -> Vec<u32> {
    let group = components.of_task[from as usize];
    // Where each task was reached from; filled only inside the component.
    let reached = &mut components.scratch;
    let mut queue = VecDeque::from([from]);
    while let Some(position) = queue.pop_front() {
        for &need in &needs[position as usize] {
            if need == from {
                let mut path = vec![position];
                while path[path.len() - 1] != from {
                    path.push(reached[path[path.len() - 1] as usize]);
                }
                path.reverse();
                return path;
            }
            if components.of_task[need as usize] == group && reached[need as usize] == NONE {
                reached[need as usize] = position;
                queue.push_back(need);
            }
        }
    }
    // Every task of a component with two tasks or more is on a cycle.
    unreachable!("no cycle through a task of a strongly connected component")
}

/// Strongly connected components of the tasks that are not in the topological order.
struct Components {
    /// The number of each task's component; `NONE` for a task in the order.
    of_task: Vec<u32>,
    size: Vec<u32>,
    scratch: Vec<u32>,
}

impl Components {
    /// Tarjan's algorithm with an explicit stack.
    fn of(needs: &[Vec<u32>], order: &[u32]) -> Self {
        let mut placed = vec![false; needs.len()];
        for &position in order {
            placed[position as usize] = true;
        }
        let mut of_task = vec![NONE; needs.len()];
        let mut size = Vec::new();
        let mut number = vec![NONE; needs.len()];
        let mut low = vec![NONE; needs.len()];
        let mut next_number = 0;
        let mut open: Vec<u32> = Vec::new();
        let mut calls: Vec<(u32, usize)> = Vec::new();
        for root in 0..needs.len() as u32 {
            if placed[root as usize] || number[root as usize] != NONE {
                continue;
            }
            calls.push((root, 0));
            while let Some((position, edge)) = calls.pop() {
                let here = position as usize;
                if edge == 0 {
                    number[here] = next_number;
                    low[here] = next_number;
                    next_number += 1;
                    open.push(position);
                } else {
                    let child = needs[here][edge - 1] as usize;
                    low[here] = low[here].min(low[child]);
                }
                let rest = needs[here].iter().enumerate().skip(edge);
                let mut descend = None;
                for (i, &need) in rest {
                    let there = need as usize;
                    if placed[there] {
                        continue;
                    }
                    if number[there] == NONE {
                        descend = Some((i, need));
                        break;
                    }
                    if of_task[there] == NONE {
                        low[here] = low[here].min(number[there]);
                    }
                }
                if let Some((i, need)) = descend {
                    calls.push((position, i + 1));
                    calls.push((need, 0));
                } else if low[here] == number[here] {
                    let group = size.len() as u32;
                    let mut members = 0;
                    while let Some(member) = open.pop() {
                        of_task[member as usize] = group;
                        members += 1;
                        if member == position {
                            break;
                        }
                    }
                    size.push(members);
                }
            }
        }
        Self {
            of_task,
            size,
            scratch: vec![NONE; needs.len()],
        }
    }
}
