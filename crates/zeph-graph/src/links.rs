//! Links: the children of every task as compressed adjacency that grows with its graph.

use std::collections::BTreeMap;

use crate::{TaskGraph, TaskId};

/// The children of every task, in order of insertion: two arrays, and a small overlay for tasks that were
/// added later.
#[derive(Clone, Debug)]
pub struct Links {
    children: Vec<TaskId>,
    // Children of task i: children[start[i]..start[i + 1]].
    start: Vec<usize>,
    // All children of each task that has new ones since the arrays were built.
    overlay: BTreeMap<TaskId, Vec<TaskId>>,
    // The number of new children.
    added: usize,
    tasks: usize,
}

impl Links {
    /// A counting sort: two passes over the dependencies.
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
        Self {
            children,
            start,
            overlay: BTreeMap::new(),
            added: 0,
            tasks: graph.len(),
        }
    }

    /// Adds the tasks that were added to the graph since. Does nothing if there are none.
    ///
    /// Amortized cost: a logarithm for each new dependency. The arrays are rebuilt when the new
    /// dependencies exceed a quarter of their size; between two rebuilds the children of a task are
    /// copied at most once.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::TaskGraph;
    /// let mut graph = TaskGraph::new();
    /// let fetch = graph.add_task("fetch", []);
    /// let mut links = graph.links();
    /// let save = graph.add_task("save", [fetch]);
    /// links.grow(&graph);
    /// assert_eq!(links.children(fetch), [save]);
    /// ```
    pub fn grow(&mut self, graph: &TaskGraph) {
        let known = self.tasks;
        self.tasks = graph.len();
        for id in graph.ids().skip(known) {
            for &parent in graph.parents(id) {
                let base = span(&self.start, parent);
                let all =
                    (self.overlay.entry(parent)).or_insert_with(|| self.children[base].to_vec());
                all.push(id);
                self.added += 1;
            }
        }
        let arrays = self.children.len() + self.start.len();
        if self.added > arrays / 4 {
            *self = Self::of(graph);
        }
    }

    /// The tasks that depend on this one.
    ///
    /// # Panics
    /// If the id is not one of the graph that the links were computed from.
    #[must_use]
    pub fn children(&self, id: TaskId) -> &[TaskId] {
        assert!(id.index() < self.tasks, "{id} is not a task of this graph");
        if !self.overlay.is_empty()
            && let Some(all) = self.overlay.get(&id)
        {
            return all;
        }
        &self.children[span(&self.start, id)]
    }
}

/// The range of a task's children in the array; empty for a task that the arrays do not contain.
fn span(start: &[usize], id: TaskId) -> std::ops::Range<usize> {
    match start.get(id.index()..=id.index() + 1) {
        Some(&[from, to]) => from..to,
        _ => 0..0,
    }
}
