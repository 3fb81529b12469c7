//! Patches that a graph took in: where the tasks of each begin, and the tasks that it took out. Those keep their
//! ids, because journals refer to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::{MAX_NAME_BYTES, OnFailure, TaskGraph, TaskId};

/// The patches of a graph, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patches {
    /// The position of the first task that each could add.
    starts: Vec<u32>,
    removed: BTreeMap<u32, Removed>,
}

/// A task that a patch took out.
#[derive(Clone, Debug)]
struct Removed {
    /// The name before.
    name: Arc<str>,
    /// The number of the patch, from 0.
    by: usize,
}

impl Patches {
    /// Notes a patch whose tasks begin at that position.
    pub(crate) fn note(&mut self, first: u32) {
        self.starts.push(first);
    }
}

impl TaskGraph {
    /// Whether a patch took the task out of the graph. Its name has a mark then, and nothing that can still
    /// start depends on it.
    #[must_use]
    pub fn is_removed(&self, task: TaskId) -> bool {
        self.patches.removed.contains_key(&task.as_u32())
    }

    /// The name of a task in the plan: that of a removed one without its mark. Another task may have it now.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    pub fn written_name(&self, task: TaskId) -> &str {
        let removed = self.patches.removed.get(&task.as_u32());
        removed.map_or_else(|| self.task(task).name(), |removed| &removed.name)
    }

    /// The graph as a person would write it: without items and removed tasks. What depends on an item depends on
    /// the task of the item, and what depends on a removed task on the one that has its name now.
    ///
    /// The ids of the tasks before the first item or removed task are the same.
    #[must_use]
    pub fn as_written(&self) -> Self {
        self.as_written_after(self.patches.starts.len())
    }

    /// The graph [as written](Self::as_written) after its first patches, without what the later ones changed.
    #[must_use]
    pub fn as_written_after(&self, patches: usize) -> Self {
        let end = self.patches.starts.get(patches).copied();
        let end = end.unwrap_or(self.len() as u32);
        let removed = |id: TaskId| self.patches.removed.get(&id.as_u32());
        let is_gone = |id: TaskId| removed(id).is_some_and(|removed| removed.by < patches);
        let is_present =
            |id: &TaskId| id.as_u32() < end && self.item(*id).is_none() && !is_gone(*id);
        let successors: HashMap<&str, TaskId> = match self.patches.removed.is_empty() {
            true => HashMap::new(),
            false => {
                let present = self.ids().filter(is_present);
                present.map(|id| (self.written_name(id), id)).collect()
            }
        };
        let now = |id: TaskId| {
            let whole = self.item(id).map_or(id, |(of, _)| of);
            match is_gone(whole) {
                true => successors.get(self.written_name(whole)).copied(),
                false => Some(whole),
            }
        };
        let mut graph = Self::new();
        *graph.metadata_mut() = self.metadata().clone();
        for lane in self.lanes() {
            let id = graph.add_lane(Arc::clone(&lane.name), lane.capacity);
            graph.set_lane_shared(id, lane.shared);
        }
        let mut ids: Vec<Option<TaskId>> = vec![None; self.len()];
        for id in self.placed(is_present, &now) {
            let parents = self.parents(id).iter().filter_map(|&parent| now(parent));
            // A dependency of an ended task that a patch turned into a cycle is left out.
            let parents: Vec<TaskId> = parents.filter_map(|parent| ids[parent.index()]).collect();
            let mut task = self.task(id).clone();
            if let Some(removed) = removed(id) {
                task.rename(Arc::clone(&removed.name));
            }
            let fallback = self.fallback(id).and_then(now);
            if let Some(fallback) = fallback.and_then(|to| ids[to.index()]) {
                task.rules_mut().on_failure = OnFailure::Fallback(fallback);
            }
            ids[id.index()] = Some(graph.add_task(task, parents));
        }
        graph
    }

    /// The task that had this name after the first patches, and is no item.
    #[must_use]
    pub fn find_after(&self, name: &str, patches: usize) -> Option<TaskId> {
        let end = self.patches.starts.get(patches).copied();
        let end = end.unwrap_or(self.len() as u32);
        let mut removed = self.patches.removed.iter();
        let later = removed.find(|(id, one)| one.by >= patches && **id < end && *one.name == *name);
        let id = match later {
            Some((id, _)) => Some(TaskId::marked(*id, self.mark)),
            None => self.find(name).filter(|id| !self.is_removed(*id)),
        };
        id.filter(|id| id.as_u32() < end && self.item(*id).is_none())
    }

    /// The present tasks by id, but each behind what it depends on: a successor has a higher id than the task in
    /// whose place it is.
    fn placed(
        &self,
        is_present: impl Fn(&TaskId) -> bool,
        now: &impl Fn(TaskId) -> Option<TaskId>,
    ) -> Vec<TaskId> {
        let mut placed = Vec::with_capacity(self.len());
        let mut is_seen = vec![false; self.len()];
        let mut is_placed = vec![false; self.len()];
        let mut open = Vec::new();
        for id in self.ids().filter(is_present) {
            open.push(id);
            while let Some(&last) = open.last() {
                is_seen[last.index()] = true;
                let before = self
                    .parents(last)
                    .iter()
                    .copied()
                    .chain(self.fallback(last));
                let mut missing = before.filter_map(now).filter(|one| !is_seen[one.index()]);
                if let Some(next) = missing.next() {
                    open.push(next);
                    continue;
                }
                open.pop();
                if !std::mem::replace(&mut is_placed[last.index()], true) {
                    placed.push(last);
                }
            }
        }
        placed
    }

    /// Takes the tasks of these names out of the graph, which frees the names. Returns their ids with the names
    /// that they had.
    pub(crate) fn remove(&mut self, names: &[String]) -> Vec<(TaskId, Arc<str>)> {
        let mut removed = Vec::with_capacity(names.len());
        for name in names {
            let Some(task) = self.find(name) else {
                continue;
            };
            let before = self.task(task).shared_name();
            removed.push((task, Arc::clone(&before)));
            let name = self.removed_name(name);
            self.rename(task, name);
            let by = self.patches.starts.len();
            let one = Removed { name: before, by };
            self.patches.removed.insert(task.as_u32(), one);
        }
        removed
    }

    /// Undoes [`remove`](Self::remove).
    pub(crate) fn put_back(&mut self, removed: Vec<(TaskId, Arc<str>)>) {
        for (task, name) in removed {
            self.rename(task, name);
            self.patches.removed.remove(&task.as_u32());
        }
    }

    /// A free name for a removed task: `build (removed)`, `build (removed 2)`, …
    fn removed_name(&self, name: &str) -> Arc<str> {
        let mut mark = " (removed)".to_owned();
        for number in 2u64.. {
            let room = name.floor_char_boundary(MAX_NAME_BYTES - mark.len());
            let marked = format!("{}{mark}", &name[..room]);
            if self.find(&marked).is_none() {
                return marked.into();
            }
            mark = format!(" (removed {number})");
        }
        name.into()
    }
}
