//! The text tree of a graph, for terminals.

use super::style::{self, STYLES};
use super::{escape, summary};
use crate::{TaskGraph, TaskId, Topology};

/// A graph with more tasks is summarised.
const MOST_TASKS: usize = 200;
/// A graph with more levels is summarised, because its tree would not fit on a screen.
const MOST_LEVELS: usize = 30;

/// The graph as an indented tree, each task once, below the deepest of its parents.
///
/// Further parents are listed after the task's name. `state` returns the word of a task's state
/// ([`TaskState::word`](crate::TaskState::word)), or `None` for the bare graph. A graph of more than
/// 200 tasks or 30 levels is summarised: its size, how many tasks are in each state, its levels.
///
/// # Examples
/// ```
/// use zeph_graph::{TaskGraph, picture};
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task("fetch", []);
/// let parse = graph.add_task("parse", [fetch]);
/// let check = graph.add_task("check", [fetch]);
/// graph.add_task("save", [parse, check]);
/// let text = picture::tree(&graph, |id| (id == fetch).then_some("completed"));
/// assert_eq!(text, "\
/// ✓ fetch (completed)
/// ├─ parse
/// │  └─ save (also needs check)
/// └─ check
/// ");
/// ```
#[must_use]
pub fn tree(graph: &TaskGraph, state: impl Fn(TaskId) -> Option<&'static str>) -> String {
    let shape = Topology::of(graph);
    if graph.is_empty() {
        return "(no tasks)\n".to_owned();
    }
    if graph.len() > MOST_TASKS || shape.depth() > MOST_LEVELS {
        return summary::of(graph, &shape, state);
    }
    let mut below: Vec<Vec<TaskId>> = vec![Vec::new(); graph.len()];
    for id in graph.ids() {
        if let Some(parent) = drawn_below(graph, &shape, id) {
            below[parent.index()].push(id);
        }
    }
    let mut text = String::new();
    // The stack of tasks to draw: each with, for every task on the path to it and itself, whether it is
    // the last child of its parent.
    let mut left: Vec<(TaskId, Vec<bool>)> = (shape.roots().iter().rev())
        .map(|&root| (root, Vec::new()))
        .collect();
    while let Some((id, lasts)) = left.pop() {
        if let Some((last, above)) = lasts.split_last() {
            for &last in above {
                text.push_str(if last { "   " } else { "│  " });
            }
            text.push_str(if *last { "└─ " } else { "├─ " });
        }
        draw(graph, &shape, id, state(id), &mut text);
        for (i, &child) in below[id.index()].iter().enumerate().rev() {
            let mut lasts = lasts.clone();
            lasts.push(i + 1 == below[id.index()].len());
            left.push((child, lasts));
        }
    }
    text
}

/// The parent below which a task is drawn: the first of the deepest ones.
fn drawn_below(graph: &TaskGraph, shape: &Topology, id: TaskId) -> Option<TaskId> {
    let parents = graph.parents(id).iter().rev().copied();
    parents.max_by_key(|&parent| shape.level(parent))
}

fn draw(
    graph: &TaskGraph,
    shape: &Topology,
    id: TaskId,
    state: Option<&'static str>,
    text: &mut String,
) {
    if let Some(word) = state {
        text.push_str(style::find(word).map_or("-", |style| STYLES[style].glyph));
        text.push(' ');
    }
    text.push_str(&escape::terminal(graph.task(id).name()));
    if let Some(word) = state {
        text.push_str(" (");
        text.push_str(&escape::terminal(word));
        text.push(')');
    }
    let above = drawn_below(graph, shape, id);
    let further: Vec<String> = (graph.parents(id).iter())
        .filter(|parent| Some(**parent) != above)
        .map(|&parent| escape::terminal(graph.task(parent).name()))
        .collect();
    if !further.is_empty() {
        text.push_str(" (also needs ");
        text.push_str(&further.join(", "));
        text.push(')');
    }
    text.push('\n');
}
