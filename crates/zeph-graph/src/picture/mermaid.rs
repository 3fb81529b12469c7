//! Mermaid: a flowchart for documents and web pages.

use std::fmt::Write;

use super::escape;
use crate::{TaskGraph, TaskId};

/// The colours of the states, as Mermaid classes.
const CLASSES: [(&str, &str); 10] = [
    ("pending", "fill:#f4f4f4,stroke:#999,color:#333"),
    ("ready", "fill:#e8f0fe,stroke:#4a7bd0,color:#123"),
    ("running", "fill:#cfe2ff,stroke:#1f5fbf,color:#012"),
    ("backing_off", "fill:#fff3cd,stroke:#b58900,color:#320"),
    ("asking", "fill:#f3e5f9,stroke:#8e44ad,color:#304"),
    ("canceling", "fill:#fde3cf,stroke:#c8641b,color:#310"),
    ("completed", "fill:#d4edda,stroke:#2e7d32,color:#021"),
    ("failed", "fill:#f8d7da,stroke:#b71c1c,color:#300"),
    ("skipped", "fill:#eeeeee,stroke:#aaaaaa,color:#666"),
    ("canceled", "fill:#e6e0d8,stroke:#8d6e63,color:#420"),
];

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
    let mut used = [false; CLASSES.len()];
    // Writing to a String cannot fail.
    for (id, task) in graph.tasks() {
        let _ = write!(text, "  {id}[\"{}", escape::mermaid(task.name()));
        let class = state(id).map(|word| {
            let _ = write!(text, " · {}", escape::mermaid(word));
            CLASSES.iter().position(|(class, _)| *class == word)
        });
        text.push_str("\"]");
        if let Some(class) = class.flatten() {
            used[class] = true;
            let _ = write!(text, ":::{}", CLASSES[class].0);
        }
        text.push('\n');
    }
    for id in graph.ids() {
        for parent in graph.parents(id) {
            let _ = writeln!(text, "  {parent} --> {id}");
        }
    }
    let classes = CLASSES.iter().zip(used).filter(|(_, used)| *used);
    for ((class, style), _) in classes {
        let _ = writeln!(text, "  classDef {class} {style}");
    }
    text
}
