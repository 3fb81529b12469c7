//! Facts: the shape and the rules of a run's graph, computed by brute force.

use std::collections::BTreeMap;

use zeph_graph::wire::GraphSpec;
use zeph_graph::{ContentId, Effect, Header, LaneUse, Rules, TaskGraph, TaskId, Work};
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
    /// The tasks that each patch removed, in the order of their ids.
    pub removed: BTreeMap<ContentId, Vec<TaskId>>,
    /// The tasks that an event about each task may change: those that depend on it, its siblings in a list of
    /// items, the task that they are items of, and its fallback.
    pub reach: Vec<Vec<bool>>,
    /// The task whose fallback each task is.
    pub users: Vec<Option<TaskId>>,
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
        let removed = self.newly_removed(&graph).collect();
        let mut facts = self.expanded(graph);
        facts.removed.insert(content, removed);
        facts.patches.insert(content, patch.clone());
        facts.sizes.insert(content, size);
        facts
    }

    /// The tasks of this graph that are removed in a later one.
    pub fn newly_removed(&self, later: &TaskGraph) -> impl Iterator<Item = TaskId> + use<'_> {
        let is_removed: Vec<bool> = later.ids().map(|task| later.is_removed(task)).collect();
        let tasks = self.graph.ids();
        tasks.filter(move |&task| is_removed[task.index()] && !self.graph.is_removed(task))
    }

    /// The facts after tasks got their items.
    #[must_use]
    pub fn expanded(&self, graph: TaskGraph) -> Self {
        let mut facts = Self::new(self.header.clone(), graph);
        // The weights of existing tasks, and so their order in the queue, do not change.
        facts.bottom[..self.bottom.len()].copy_from_slice(&self.bottom);
        facts.patches.clone_from(&self.patches);
        facts.sizes.clone_from(&self.sizes);
        facts.removed.clone_from(&self.removed);
        facts
    }

    /// The graph after a task got that many items, or `None` if it cannot. The items are compared with what they
    /// must be.
    ///
    /// # Panics
    /// If an item is not what it must be.
    #[must_use]
    pub fn with_items(graph: &TaskGraph, task: TaskId, count: u32) -> Option<TaskGraph> {
        let definition = graph.get(task)?;
        let foreach = definition.rules().foreach?;
        let name = |place: u32| format!("{}[{place}]", definition.name());
        let is_taken = (0..count).any(|place| graph.find(&name(place)).is_some());
        if is_taken || count > foreach.max || graph.items(task).is_some() {
            return None;
        }
        let mut grown = graph.clone();
        let items = grown.expand(task, count).expect("nothing is in the way");
        assert_eq!(items.len(), count as usize);
        for (place, item) in (0..count).zip(items) {
            let id = TaskId::from_index(item);
            let item = grown.task(id);
            assert_eq!(item.name(), name(place));
            assert_eq!(grown.parents(id), graph.parents(task));
            assert_eq!(item.work(), definition.work());
            let expected = Rules {
                foreach: None,
                approve: None,
                prepare: match foreach.prepare_items {
                    true => definition.rules().prepare.clone(),
                    false => None,
                },
                on_failure: zeph_graph::OnFailure::Skip,
                ..definition.rules().clone()
            };
            assert_eq!(*item.rules(), expected);
        }
        Some(grown)
    }

    /// The items of a task; none if it has not been expanded.
    pub fn items(&self, task: TaskId) -> impl Iterator<Item = TaskId> + use<> {
        let items = self.graph.items(task).unwrap_or_default();
        items.map(TaskId::from_index)
    }

    /// What an attempt of the task does to the world: to make a list and to collect results has no effect.
    #[must_use]
    pub fn effect(&self, task: TaskId) -> Effect {
        match self.rules(task).foreach {
            Some(_) => Effect::Pure,
            None => self.rules(task).effect,
        }
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
            reach: reach(&graph, &children),
            header,
            children,
            below,
            bottom,
            users: users(&graph),
            patches: Patches::new(),
            sizes: BTreeMap::new(),
            removed: BTreeMap::new(),
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

/// The task whose fallback each task is, by a search of all strategies.
fn users(graph: &TaskGraph) -> Vec<Option<TaskId>> {
    let mut users = vec![None; graph.len()];
    for (id, task) in graph.tasks() {
        if let zeph_graph::OnFailure::Fallback(to) = task.rules().on_failure {
            assert_eq!(users[to.index()].replace(id), None, "{to} has two users");
            assert!(graph.parents(to).is_empty(), "{to} has dependencies");
        }
    }
    users
}

/// For each task what it can reach over its children, its items, the task that it is an item of, its fallback,
/// and the task whose fallback it is.
fn reach(graph: &TaskGraph, children: &[Vec<TaskId>]) -> Vec<Vec<bool>> {
    let mut next: Vec<Vec<usize>> = children
        .iter()
        .map(|children| children.iter().map(|child| child.index()).collect())
        .collect();
    for task in graph.ids() {
        for item in graph.items(task).unwrap_or_default() {
            next[task.index()].push(item as usize);
            next[item as usize].push(task.index());
        }
    }
    for (fallback, user) in users(graph).into_iter().enumerate() {
        if let Some(user) = user {
            next[user.index()].push(fallback);
            next[fallback].push(user.index());
        }
    }
    let from = |root: usize| {
        let mut seen = vec![false; next.len()];
        let mut open = next[root].clone();
        while let Some(task) = open.pop() {
            if !std::mem::replace(&mut seen[task], true) {
                open.extend(&next[task]);
            }
        }
        seen
    };
    (0..next.len()).map(from).collect()
}
