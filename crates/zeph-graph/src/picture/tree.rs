//! The text tree of a graph, for terminals.

use super::style::{self, STYLES};
use super::{escape, summary};
use crate::{TaskGraph, TaskId, Topology};

/// A graph with more tasks is summarised.
const MAX_TASKS: usize = 200;
/// A graph with more levels is summarised, because its tree would not fit on a screen.
const MAX_LEVELS: usize = 30;

/// A list of further needs is continued on the next line before this column.
const MAX_COLUMNS: usize = 78;

/// The graph as an indented tree, each task once, below the deepest of its parents.
///
/// Its other parents are listed after its name, on further lines if they are many. `state` returns the word of a
/// task's state ([`TaskState::word`](crate::TaskState::word)), or `None` to show no state; a state is a mark
/// before the name, and the last line says what the marks mean and how many tasks have each. A graph of more
/// than 200 tasks or 30 levels is summarised: its size, how many tasks are in each state, its levels.
///
/// # Examples
/// ```
/// use zeph_graph::{TaskGraph, picture};
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task("fetch", []);
/// let parse = graph.add_task("parse", [fetch]);
/// let check = graph.add_task("check", [fetch]);
/// graph.add_task("save", [parse, check]);
/// let state = |id| Some(if id == fetch { "completed" } else { "pending" });
/// assert_eq!(picture::tree(&graph, state), "\
/// ✓ fetch
/// ├─ · parse
/// │  └─ · save (also needs check)
/// └─ · check
///
/// · 3 pending, ✓ 1 completed
/// ");
/// ```
#[must_use]
pub fn tree(graph: &TaskGraph, state: impl Fn(TaskId) -> Option<&'static str>) -> String {
    painted_tree(graph, state, |_, text| text.to_owned())
}

/// As [`tree`]; `paint` colours a text that belongs to the state with that word.
#[must_use]
pub fn painted_tree(
    graph: &TaskGraph,
    state: impl Fn(TaskId) -> Option<&'static str>,
    paint: impl Fn(&'static str, &str) -> String,
) -> String {
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
        let mut before = String::new();
        // What stands before a further line of the same task.
        let mut further = String::new();
        if let Some((&last, ancestors)) = is_last.split_last() {
            for &last in ancestors {
                before.push_str(if last { "   " } else { "│  " });
            }
            further = format!("{before}{}", if last { "   " } else { "│  " });
            before.push_str(if last { "└─ " } else { "├─ " });
        }
        let has_children = !children[id.index()].is_empty();
        further.push_str(if has_children { "│    " } else { "     " });
        let name = escape::terminal(graph.task(id).name());
        let (label, painted) = match state(id) {
            Some(word) => {
                let label = format!("{} {name}", glyph(word));
                let painted = paint(word, &label);
                (label, painted)
            }
            None => (name.clone(), name),
        };
        let column = before.chars().count() + label.chars().count();
        text.push_str(&before);
        text.push_str(&painted);
        text.push_str(&also_needs(graph, &shape, id, column, &further));
        if let Some(user) = graph.fallback_of(id) {
            let user = escape::terminal(graph.task(user).name());
            text.push_str(&format!(" (if {user} fails)"));
        }
        text.push('\n');
        for (i, &child) in children[id.index()].iter().enumerate().rev() {
            let mut is_last = is_last.clone();
            is_last.push(i + 1 == children[id.index()].len());
            stack.push((child, is_last));
        }
    }
    text.push_str(&legend(graph, state, paint));
    text
}

fn glyph(word: &str) -> &'static str {
    style::find(word).map_or("-", |style| STYLES[style].glyph)
}

/// The marks of the states that occur, with their words and the number of tasks; empty without states.
fn legend(
    graph: &TaskGraph,
    state: impl Fn(TaskId) -> Option<&'static str>,
    paint: impl Fn(&'static str, &str) -> String,
) -> String {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for word in graph.ids().filter_map(state) {
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    counts.sort_by_key(|(word, _)| style::find(word));
    let parts = counts.iter().map(|(word, count)| {
        let text = format!("{} {count} {}", glyph(word), word.replace('_', " "));
        paint(word, &escape::terminal(&text))
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("\n{}\n", parts.join(", "))
}

/// The parent below which a task is drawn: of its deepest parents, the first.
fn tree_parent(graph: &TaskGraph, shape: &Topology, id: TaskId) -> Option<TaskId> {
    let parents = graph.parents(id).iter().rev().copied();
    parents.max_by_key(|&parent| shape.level(parent))
}

/// The parents that the tree does not show above the task, in brackets; empty if there are none. `column` is
/// where the text begins, and `further` stands before each further line.
fn also_needs(
    graph: &TaskGraph,
    shape: &Topology,
    id: TaskId,
    mut column: usize,
    further: &str,
) -> String {
    let above = tree_parent(graph, shape, id);
    let parents = graph
        .parents(id)
        .iter()
        .filter(|parent| Some(**parent) != above);
    let names: Vec<String> = parents
        .map(|&parent| escape::terminal(graph.task(parent).name()))
        .collect();
    let mut text = String::new();
    for (i, name) in names.iter().enumerate() {
        let end = if i + 1 == names.len() { ")" } else { "," };
        let word = if i == 0 {
            format!("(also needs {name}{end}")
        } else {
            format!("{name}{end}")
        };
        let length = word.chars().count();
        if column + 1 + length > MAX_COLUMNS {
            text.push('\n');
            text.push_str(further);
            column = further.chars().count();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(&word);
        column += length;
    }
    text
}
