//! Links: who depends on whom, as compressed adjacency.

use crate::{TaskGraph, TaskId};

/// The children of every task, in order of insertion. Two arrays, whatever the shape of the graph.
#[derive(Clone, Debug)]
pub struct Links {
    children: Vec<TaskId>,
    // Children of task i: children[start[i]..start[i + 1]].
    start: Vec<usize>,
}

impl Links {
    /// Counts, then places: two passes over the dependencies.
    pub(crate) fn of(graph: &TaskGraph) -> Self {
        let mut start = vec![0usize; graph.len() + 1];
        for id in graph.ids() {
            for parent in graph.parents(id) {
                start[parent.index() + 1] += 1;
            }
        }
        for i in 1..start.len() {
            start[i] += start[i - 1];
        }
        let mut next = start.clone();
        let mut children = vec![TaskId::from_index(0); graph.edge_count()];
        for id in graph.ids() {
            for parent in graph.parents(id) {
                children[next[parent.index()]] = id;
                next[parent.index()] += 1;
            }
        }
        Self { children, start }
    }

    /// The tasks that depend on this one.
    ///
    /// # Panics
    /// If the id is not one of the graph that the links were computed from.
    #[must_use]
    pub fn children(&self, id: TaskId) -> &[TaskId] {
        &self.children[self.start[id.index()]..self.start[id.index() + 1]]
    }
}
