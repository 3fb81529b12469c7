//! DOT: the language of Graphviz.

use std::fmt::Write;

use super::escape;
use super::style::{self, STYLES};
use crate::{TaskGraph, TaskId};

/// The graph in DOT, from left to right.
///
/// `state` returns the word of a task's state ([`TaskState::word`](crate::TaskState::word)), or `None`
/// for the bare graph. Node ids are `t0`, `t1`…; names appear only in escaped labels.
///
/// # Examples
/// ```
/// use zeph_graph::{TaskGraph, picture};
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task("fetch", []);
/// graph.add_task("save", [fetch]);
/// let text = picture::dot(&graph, |id| (id == fetch).then_some("completed"));
/// assert!(text.contains("t0 [label=\"fetch · completed\", fillcolor=\"#d4edda\"];"));
/// assert!(text.contains("t0 -> t1;"));
/// ```
#[must_use]
pub fn dot(graph: &TaskGraph, state: impl Fn(TaskId) -> Option<&'static str>) -> String {
    let mut text = String::from(
        "digraph tasks {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\"];\n",
    );
    // Writing to a String cannot fail.
    for (id, task) in graph.tasks() {
        let _ = write!(text, "  {id} [label=\"{}", escape::dot(task.name()));
        match state(id) {
            Some(word) => {
                let _ = write!(text, " · {}\"", escape::dot(word));
                if let Some(style) = style::find(word) {
                    let _ = write!(text, ", fillcolor=\"{}\"", STYLES[style].fill);
                }
            }
            None => text.push('"'),
        }
        text.push_str("];\n");
    }
    for id in graph.ids() {
        for parent in graph.parents(id) {
            let _ = writeln!(text, "  {parent} -> {id};");
        }
        if let Some(fallback) = graph.fallback(id) {
            let _ = writeln!(
                text,
                "  {id} -> {fallback} [style=dashed, label=\"if it fails\"];"
            );
        }
    }
    text.push_str("}\n");
    text
}
