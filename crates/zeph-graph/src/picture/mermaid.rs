//! Mermaid: a flowchart for documents and web pages.

use std::fmt::Write;

use super::escape;
use super::style::{self, STYLES};
use crate::{TaskGraph, TaskId};

/// The graph as a Mermaid flowchart from left to right.
///
/// `state` returns the word of a task's state ([`TaskState::word`](crate::TaskState::word)), or `None`
/// for the bare graph. Node ids are `t0`, `t1`…; names appear only in escaped labels.
///
/// # Examples
/// ```
/// use zeph_graph::{TaskGraph, picture};
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task("fetch", []);
/// graph.add_task("save \"it\"", [fetch]);
/// assert_eq!(
///     picture::mermaid(&graph, |_| None),
///     "flowchart LR\n  t0[\"fetch\"]\n  t1[\"save #34;it#34;\"]\n  t0 --> t1\n"
/// );
/// ```
#[must_use]
pub fn mermaid(graph: &TaskGraph, state: impl Fn(TaskId) -> Option<&'static str>) -> String {
    let mut text = String::from("flowchart LR\n");
    let mut used = [false; STYLES.len()];
    // Writing to a String cannot fail.
    for (id, task) in graph.tasks() {
        let _ = write!(text, "  {id}[\"{}", escape::mermaid(task.name()));
        let class = state(id).map(|word| {
            let _ = write!(text, " · {}", escape::mermaid(word));
            style::find(word)
        });
        text.push_str("\"]");
        if let Some(class) = class.flatten() {
            used[class] = true;
            let _ = write!(text, ":::{}", STYLES[class].word);
        }
        text.push('\n');
    }
    for id in graph.ids() {
        for parent in graph.parents(id) {
            let _ = writeln!(text, "  {parent} --> {id}");
        }
        if let Some(fallback) = graph.fallback(id) {
            let _ = writeln!(text, "  {id} -. if it fails .-> {fallback}");
        }
    }
    for (style, _) in STYLES.iter().zip(used).filter(|(_, used)| *used) {
        let _ = writeln!(
            text,
            "  classDef {} fill:{},stroke:{},color:{}",
            style.word, style.fill, style.stroke, style.text
        );
    }
    text
}
