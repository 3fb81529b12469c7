//! Facts: what never changes in a run, computed the slow and obvious way.

use zeph_graph::{Header, LaneUse, Rules, TaskGraph, TaskId, Work};

/// Graph and policy of one run, with what the checks need to know of their shape.
#[derive(Debug)]
pub struct Facts {
    /// Graph and policy.
    pub header: Header,
    /// The children of each task, by position.
    pub children: Vec<Vec<TaskId>>,
    /// Whether task `b` depends on task `a`, directly or not: `below[a][b]`.
    pub below: Vec<Vec<bool>>,
    /// The weight of the heaviest way from each task to a sink, in expected milliseconds.
    pub bottom: Vec<u64>,
}

impl Facts {
    /// Looks at every pair of tasks; meant for small graphs.
    #[must_use]
    pub fn of(header: Header) -> Self {
        let graph = &header.graph;
        let count = graph.len();
        let mut children = vec![Vec::new(); count];
        let mut below = vec![vec![false; count]; count];
        for task in graph.ids() {
            for parent in graph.parents(task) {
                children[parent.index()].push(task);
                for above in &mut below[..task.index()] {
                    if above[parent.index()] {
                        above[task.index()] = true;
                    }
                }
                below[parent.index()][task.index()] = true;
            }
        }
        let mut bottom = vec![0u64; count];
        for task in graph.ids().rev() {
            let own = graph.task(task).rules().hint.map_or(1_000, |hint| {
                u64::try_from(hint.as_millis()).unwrap_or(u64::MAX).max(1)
            });
            let heaviest = children[task.index()]
                .iter()
                .map(|child| bottom[child.index()])
                .fold(0, u64::max);
            bottom[task.index()] = own.saturating_add(heaviest);
        }
        Self {
            header,
            children,
            below,
            bottom,
        }
    }

    /// The graph.
    #[must_use]
    pub const fn graph(&self) -> &TaskGraph {
        &self.header.graph
    }

    /// The rules of a task.
    #[must_use]
    pub fn rules(&self, task: TaskId) -> &Rules {
        self.header.graph.task(task).rules()
    }

    /// What a task does.
    #[must_use]
    pub fn work(&self, task: TaskId) -> &Work {
        self.header.graph.task(task).work()
    }

    /// The lanes of a task.
    #[must_use]
    pub fn lanes(&self, task: TaskId) -> &[LaneUse] {
        &self.rules(task).lanes
    }
}
