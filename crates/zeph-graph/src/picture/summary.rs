//! The summary of a graph that is too large to draw.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::escape;
use crate::{TaskGraph, TaskId, Topology};

/// The most levels that are listed.
const MAX_LEVELS: usize = 20;
/// The most names that are listed for a level.
const MAX_NAMES: usize = 5;

/// The size of the graph, the number of tasks in each state, and the first levels.
pub(super) fn of(
    graph: &TaskGraph,
    shape: &Topology,
    state: impl Fn(TaskId) -> Option<&'static str>,
) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} tasks, {} dependencies, {} levels, at most {} tasks in a level",
        graph.len(),
        graph.edge_count(),
        shape.depth(),
        shape.width()
    );
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for word in graph.ids().filter_map(state) {
        *states.entry(word).or_default() += 1;
    }
    if !states.is_empty() {
        let words: Vec<String> = (states.iter())
            .map(|(word, count)| format!("{count} {}", escape::terminal(word)))
            .collect();
        let _ = writeln!(text, "{}", words.join(", "));
    }
    let mut levels: Vec<Vec<TaskId>> = vec![Vec::new(); shape.depth().min(MAX_LEVELS)];
    for id in graph.ids() {
        if let Some(level) = levels.get_mut(shape.level(id))
            && level.len() < MAX_NAMES
        {
            level.push(id);
        }
    }
    for (level, (ids, &width)) in levels.iter().zip(shape.widths()).enumerate() {
        let names: Vec<String> = (ids.iter())
            .map(|&id| escape::terminal(graph.task(id).name()))
            .collect();
        let _ = write!(text, "level {}: {}", level + 1, names.join(", "));
        if width > names.len() {
            let _ = write!(text, " … and {} more", width - names.len());
        }
        text.push('\n');
    }
    if shape.depth() > MAX_LEVELS {
        let _ = writeln!(text, "… and {} more levels", shape.depth() - MAX_LEVELS);
    }
    text
}
