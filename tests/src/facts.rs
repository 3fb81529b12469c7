//! Facts: the shape and the rules of a run's graph, computed by brute force.

use std::collections::BTreeMap;

use zeph_graph::wire::GraphSpec;
use zeph_graph::{ContentId, Header, LaneUse, Rules, TaskGraph, TaskId, Work};
use zeph_scheduler::Patches;

/// Graph and policy of one run, with the derived data that the checks need. An accepted patch makes new
/// facts.
#[derive(Debug)]
pub struct Facts {
    /// The header that the run was created with.
    pub header: Header,
    /// The children of each task, by position.
    pub children: Vec<Vec<TaskId>>,
    /// Whether task `b` depends on task `a`, directly or not: `below[a][b]`.
    pub below: Vec<Vec<bool>>,
    /// The weight of the heaviest path from each task to a sink, in expected milliseconds, at the time
    /// the task was added.
    pub bottom: Vec<u64>,
    /// The accepted patches, by content.
    pub patches: Patches,
    /// The number of tasks after each patch.
    pub sizes: BTreeMap<ContentId, usize>,
    graph: TaskGraph,
}

impl Facts {
    /// Computes the facts. The cost is at least quadratic in the tasks, so that it suits small graphs only.
    #[must_use]
    pub fn of(header: Header) -> Self {
        let graph = header.graph.clone();
        Self::new(header, graph)
    }

    /// The facts after the patch `content` has extended the graph to this one.
    #[must_use]
    pub fn grown(&self, graph: TaskGraph, content: ContentId, patch: &GraphSpec) -> Self {
        let size = graph.len();
        let mut facts = Self::new(self.header.clone(), graph);
        // The weights of existing tasks, and so their order in the queue, do not change.
        facts.bottom[..self.bottom.len()].copy_from_slice(&self.bottom);
        facts.patches.clone_from(&self.patches);
        facts.patches.insert(content, patch.clone());
        facts.sizes.clone_from(&self.sizes);
        facts.sizes.insert(content, size);
        facts
    }

    fn new(header: Header, graph: TaskGraph) -> Self {
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
            patches: Patches::new(),
            sizes: BTreeMap::new(),
            graph,
        }
    }

    /// The current graph.
    #[must_use]
    pub const fn graph(&self) -> &TaskGraph {
        &self.graph
    }

    /// The rules of a task.
    #[must_use]
    pub fn rules(&self, task: TaskId) -> &Rules {
        self.graph.task(task).rules()
    }

    /// The work of a task.
    #[must_use]
    pub fn work(&self, task: TaskId) -> &Work {
        self.graph.task(task).work()
    }

    /// The lanes of a task.
    #[must_use]
    pub fn lanes(&self, task: TaskId) -> &[LaneUse] {
        &self.rules(task).lanes
    }
}
