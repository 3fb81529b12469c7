//! The seed's import paths, re-exported from zeph-orchestration.

// The seed's program is shown as it was given, with its `main`.
#![allow(clippy::needless_doctest_main)]

/// Everything of `zeph-orchestration`, under the path that the seed names.
///
/// # Examples
/// ```
/// #![allow(unused)]
/// fn main() {
/// use zeph_core::orchestration::{TaskGraph, DagScheduler, Task};
/// // Define a task DAG
/// let mut graph = TaskGraph::new();
/// let task_1 = graph.add_task("fetch_data", vec![]);
/// let task_2 = graph.add_task("process", vec![task_1]); // depends on task_1
/// let task_3 = graph.add_task("save", vec![task_2]); // depends on task_2
/// // Execute
/// let mut scheduler = DagScheduler::new(graph);
/// while scheduler.tick() {
/// // Process executor events
/// }
/// assert!(scheduler.outcome().is_completed());
/// }
/// ```
pub mod orchestration {
    pub use zeph_orchestration::*;
}
