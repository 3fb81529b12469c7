//! The summary of a graph that is too large to draw.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::escape;
use crate::{TaskGraph, TaskId, Topology};

/// The number of levels listed.
const LEVELS: usize = 20;
/// The number of names listed for a level.
const NAMES: usize = 5;

/// Size, states and the first levels.
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
    let mut names: Vec<Vec<TaskId>> = vec![Vec::new(); shape.depth().min(LEVELS)];
    for id in graph.ids() {
        if let Some(level) = names.get_mut(shape.level(id))
            && level.len() < NAMES
        {
            level.push(id);
        }
    }
    for (level, (names, &width)) in names.iter().zip(shape.widths()).enumerate() {
        let shown: Vec<String> = (names.iter())
            .map(|&id| escape::terminal(graph.task(id).name()))
            .collect();
        let _ = write!(text, "level {}: {}", level + 1, shown.join(", "));
        if width > shown.len() {
            let _ = write!(text, " … and {} more", width - shown.len());
        }
        text.push('\n');
    }
    if shape.depth() > LEVELS {
        let _ = writeln!(text, "… and {} more levels", shape.depth() - LEVELS);
    }
    text
}
