//! Topology: levels, width and the critical path of a graph.

use crate::{Links, TaskGraph, TaskId};

/// The shape of a graph, computed once, in time and space linear in tasks and dependencies.
///
/// # Examples
/// ```
/// use zeph_graph::{TaskGraph, Topology};
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task("fetch", []);
/// let parse = graph.add_task("parse", [fetch]);
/// let check = graph.add_task("check", [fetch]);
/// let save = graph.add_task("save", [parse, check]);
/// let shape = Topology::of(&graph);
/// assert_eq!((shape.depth(), shape.width(), shape.level(save)), (3, 2, 2));
/// assert_eq!(shape.critical_path(), [fetch, parse, save]);
/// ```
#[derive(Clone, Debug)]
pub struct Topology {
    level: Vec<u32>,
    widths: Vec<usize>,
    roots: Vec<TaskId>,
    bottom: Vec<u64>,
    critical_path: Vec<TaskId>,
}

impl Topology {
    /// The shape, each task weighted by [`expected_ms`].
    #[must_use]
    pub fn of(graph: &TaskGraph) -> Self {
        Self::weighted(graph, |id| expected_ms(graph, id))
    }

    /// The shape with the given weights, in any unit.
    #[must_use]
    pub fn weighted(graph: &TaskGraph, weight: impl Fn(TaskId) -> u64) -> Self {
        let links = graph.links();
        let level = levels(graph);
        let mut widths = Vec::new();
        for &level in &level {
            let level = level as usize;
            if widths.len() <= level {
                widths.resize(level + 1, 0);
            }
            widths[level] += 1;
        }
        let bottom = bottom_levels(graph, &links, 0, weight);
        Self {
            roots: (graph.ids())
                .filter(|&id| graph.parents(id).is_empty())
                .collect(),
            critical_path: critical_path(graph, &links, &bottom),
            level,
            widths,
            bottom,
        }
    }

    /// The number of dependencies on the longest path from a root to this task.
    ///
    /// # Panics
    /// If the id is not one of the graph.
    #[must_use]
    pub fn level(&self, id: TaskId) -> usize {
        self.level[id.index()] as usize
    }

    /// The number of levels: the number of tasks on the longest path.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.widths.len()
    }

    /// The number of tasks in the largest level.
    #[must_use]
    pub fn width(&self) -> usize {
        self.widths.iter().copied().max().unwrap_or(0)
    }

    /// The number of tasks in each level.
    #[must_use]
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The tasks without dependencies.
    #[must_use]
    pub fn roots(&self) -> &[TaskId] {
        &self.roots
    }

    /// The weight of the heaviest path from this task, including it, to a sink.
    ///
    /// # Panics
    /// If the id is not one of the graph.
    #[must_use]
    pub fn bottom_level(&self, id: TaskId) -> u64 {
        self.bottom[id.index()]
    }

    /// The tasks of the heaviest path from a root to a sink. Among equal paths the first in order of
    /// insertion.
    #[must_use]
    pub fn critical_path(&self) -> &[TaskId] {
        &self.critical_path
    }

    /// The weight of the critical path: no schedule is shorter. 0 for an empty graph.
    #[must_use]
    pub fn critical_length(&self) -> u64 {
        self.critical_path
            .first()
            .map_or(0, |&first| self.bottom_level(first))
    }
}

/// The expected duration of a task in milliseconds: its hint, at least 1; one second without a hint.
#[must_use]
pub fn expected_ms(graph: &TaskGraph, id: TaskId) -> u64 {
    let hint = graph.task(id).rules().hint;
    hint.map_or(1_000, |hint| {
        u64::try_from(hint.as_millis()).unwrap_or(u64::MAX).max(1)
    })
}

/// The weight of the heaviest path from each task to a sink, both included: for the tasks from position
/// `first` on, by position.
///
/// One backward pass, because ids are in topological order. Sums saturate at `u64::MAX`.
///
/// # Examples
/// ```
/// use zeph_graph::{TaskGraph, bottom_levels};
/// let mut graph = TaskGraph::new();
/// let fetch = graph.add_task("fetch", []);
/// let parse = graph.add_task("parse", [fetch]);
/// graph.add_task("save", [parse]);
/// assert_eq!(bottom_levels(&graph, &graph.links(), 0, |_| 1), [3, 2, 1]);
/// assert_eq!(bottom_levels(&graph, &graph.links(), 1, |_| 1), [2, 1]);
/// ```
#[must_use]
pub fn bottom_levels(
    graph: &TaskGraph,
    links: &Links,
    first: usize,
    weight: impl Fn(TaskId) -> u64,
) -> Vec<u64> {
    let mut bottom = vec![0u64; graph.len().saturating_sub(first)];
    for id in graph.ids().skip(first).rev() {
        let children = links.children(id).iter();
        let below = children.map(|child| bottom[child.index() - first]).max();
        bottom[id.index() - first] = weight(id).saturating_add(below.unwrap_or(0));
    }
    bottom
}

fn levels(graph: &TaskGraph) -> Vec<u32> {
    let mut level = vec![0u32; graph.len()];
    for id in graph.ids() {
        let parents = graph.parents(id).iter();
        let above = parents.map(|parent| level[parent.index()] + 1).max();
        level[id.index()] = above.unwrap_or(0);
    }
    level
}

fn critical_path(graph: &TaskGraph, links: &Links, bottom: &[u64]) -> Vec<TaskId> {
    let heaviest = |ids: &mut dyn Iterator<Item = TaskId>| {
        // `max_by_key` returns the last among equals, but the first is needed.
        ids.max_by_key(|id| (bottom[id.index()], std::cmp::Reverse(*id)))
    };
    let mut roots = graph.ids().filter(|&id| graph.parents(id).is_empty());
    let mut path = Vec::new();
    let mut next = heaviest(&mut roots);
    while let Some(id) = next {
        path.push(id);
        next = heaviest(&mut links.children(id).iter().copied());
    }
    path
}
