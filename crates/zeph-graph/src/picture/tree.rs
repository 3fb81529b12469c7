//! The text tree of a graph, for terminals.

use super::style::{self, STYLES};
use super::{escape, summary};
use crate::{TaskGraph, TaskId, Topology};

/// A graph with more tasks is summarised.
const MAX_TASKS: usize = 200;
/// A graph with more levels is summarised, because its tree would not fit on a screen.
const MAX_LEVELS: usize = 30;

/// The graph as an indented tree, each task once, below the deepest of its parents.
///
/// Its other parents are listed after its name. `state` returns the word of a task's state
/// ([`TaskState::word`](crate::TaskState::word)), or `None` to show no state. A graph of more than
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
    if graph.len() > MAX_TASKS || shape.depth() > MAX_LEVELS {
        return summary::of(graph, &shape, state);
    }
    let mut children: Vec<Vec<TaskId>> = vec![Vec::new(); graph.len()];
    for id in graph.ids() {
        if let Some(parent) = tree_parent(graph, &shape, id) {
            children[parent.index()].push(id);
        }
    }
    let mut text = String::new();
    // The tasks to draw. Each has one flag for each task on its path, from the child of the root to the
    // task itself: whether it is the last child of its parent. The flags decide the lines before its name.
    let mut stack: Vec<(TaskId, Vec<bool>)> = (shape.roots().iter().rev())
        .map(|&root| (root, Vec::new()))
        .collect();
    while let Some((id, is_last)) = stack.pop() {
        if let Some((last, ancestors)) = is_last.split_last() {
            for &last in ancestors {
                text.push_str(if last { "   " } else { "│  " });
            }
            text.push_str(if *last { "└─ " } else { "├─ " });
        }
        draw(graph, &shape, id, state(id), &mut text);
        for (i, &child) in children[id.index()].iter().enumerate().rev() {
            let mut is_last = is_last.clone();
            is_last.push(i + 1 == children[id.index()].len());
            stack.push((child, is_last));
        }
    }
    text
}

/// The parent below which a task is drawn: of its deepest parents, the first.
fn tree_parent(graph: &TaskGraph, shape: &Topology, id: TaskId) -> Option<TaskId> {
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
    let above = tree_parent(graph, shape, id);
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
