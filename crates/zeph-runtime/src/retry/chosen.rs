//! Chosen tasks: they run, so they look for no result in the cache.

use zeph_graph::TaskGraph;

use super::names_task;

/// The key of the graph's [metadata](TaskGraph::metadata) that holds the names that were chosen, as a JSON list.
const KEY: &str = "retry_chosen";

/// Notes the names that the caller chose, in place of those of an earlier retry.
pub(super) fn note(graph: &mut TaskGraph, chosen: &[&str]) {
    let metadata = graph.metadata_mut();
    metadata.remove(KEY);
    if !chosen.is_empty() {
        metadata.insert(KEY.to_owned(), serde_json::json!(chosen).to_string());
    }
}

/// Whether a task of a run was chosen by its name, or with its items, its matrix or its sub-plan.
pub(crate) fn is_chosen(graph: &TaskGraph, task: &str) -> bool {
    let chosen = graph.metadata().get(KEY);
    let chosen = chosen.and_then(|chosen| serde_json::from_str::<Vec<String>>(chosen).ok());
    let mut chosen = chosen.into_iter().flatten();
    chosen.any(|chosen| names_task(&chosen, task))
}
