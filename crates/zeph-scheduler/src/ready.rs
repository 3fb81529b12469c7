//! The ready queue: which task starts next, and which must wait for a lane.
//!
//! Tasks that use the same lanes form a class; a class is a queue of its own. A class whose best task
//! finds a lane full is parked on that lane and looked at again when the lane gets room: a dispatch
//! looks at the best task of a class at most, never at those behind it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zeph_graph::{LaneUse, TaskGraph, TaskId};

/// Order of starting: priority, then critical path, then first in first out.
type Rank = (Reverse<i32>, Reverse<u64>);
/// When a task became ready, as a running number; 0 is never one.
type Stamp = u32;

#[derive(Debug)]
pub(crate) struct Ready {
    classes: Vec<Class>,
    // The class of the tasks that use those lanes.
    known: BTreeMap<Vec<LaneUse>, u32>,
    // The class of each task up to the last one with lanes; the others are of the first.
    class_of: Vec<u32>,
    // The stamp under which a task is queued; 0 when it is not.
    stamp: Vec<Stamp>,
    last_stamp: Stamp,
    // The priority of each task up to the last one with another than 0.
    priority: Vec<i32>,
    // Bottom level of each task.
    weight: Vec<u64>,
    // Best task of each class that is neither empty nor parked.
    heads: BTreeSet<(Rank, Stamp, u32)>,
    parked: Vec<Vec<u32>>,
    used: Vec<u32>,
    capacity: Vec<u32>,
    len: usize,
}

#[derive(Debug, Default)]
struct Class {
    lanes: Vec<LaneUse>,
    queue: BTreeMap<Rank, VecDeque<(TaskId, Stamp)>>,
    head: Option<(Rank, Stamp)>,
    parked: bool,
}

impl Ready {
    pub(crate) fn new(graph: &TaskGraph, weight: Vec<u64>) -> Self {
        let mut ready = Self {
            classes: vec![Class::default()],
            known: BTreeMap::from([(Vec::new(), 0)]),
            class_of: Vec::new(),
            stamp: Vec::new(),
            last_stamp: 0,
            priority: Vec::new(),
            weight: Vec::new(),
            heads: BTreeSet::new(),
            parked: vec![Vec::new(); graph.lanes().len()],
            used: vec![0; graph.lanes().len()],
            capacity: graph.lanes().iter().map(|lane| lane.capacity).collect(),
            len: 0,
        };
        ready.grow(graph, weight);
        ready
    }

    /// Takes in the tasks that the graph has got since, with their bottom levels.
    pub(crate) fn grow(&mut self, graph: &TaskGraph, mut weight: Vec<u64>) {
        let known = self.stamp.len();
        self.stamp.resize(graph.len(), 0);
        if known == 0 {
            self.weight = weight;
        } else {
            self.weight.append(&mut weight);
        }
        for id in graph.ids().skip(known) {
            let rules = graph.task(id).rules();
            if rules.priority != 0 {
                self.priority.resize(id.index() + 1, 0);
                self.priority[id.index()] = rules.priority;
            }
            if rules.lanes.is_empty() {
                continue;
            }
            let classes = &mut self.classes;
            let lanes = merged(&rules.lanes);
            let class = *self.known.entry(lanes).or_insert_with_key(|lanes| {
                classes.push(Class {
                    lanes: lanes.clone(),
                    ..Class::default()
                });
                // There are at most as many classes as tasks.
                classes.len() as u32 - 1
            });
            self.class_of.resize(id.index() + 1, 0);
            self.class_of[id.index()] = class;
        }
    }

    pub(crate) fn lane_used(&self) -> &[u32] {
        &self.used
    }

    fn class_index(&self, task: TaskId) -> u32 {
        self.class_of.get(task.index()).copied().unwrap_or(0)
    }

    /// Queues a task behind those of its rank.
    pub(crate) fn push(&mut self, task: TaskId) {
        debug_assert_eq!(self.stamp[task.index()], 0, "{task} is queued already");
        self.last_stamp = self.last_stamp.wrapping_add(1).max(1);
        let stamp = self.last_stamp;
        self.stamp[task.index()] = stamp;
        self.len += 1;
        let priority = self.priority.get(task.index()).copied().unwrap_or(0);
        let rank = (Reverse(priority), Reverse(self.weight[task.index()]));
        let index = self.class_index(task);
        let class = &mut self.classes[index as usize];
        class
            .queue
            .entry(rank)
            .or_default()
            .push_back((task, stamp));
        if class.head.is_none_or(|head| (rank, stamp) < head) {
            self.show_head(index, Some((rank, stamp)));
        }
    }

    /// Takes a task out, wherever it stands. A task that is not queued is left alone.
    pub(crate) fn remove(&mut self, task: TaskId) {
        if std::mem::take(&mut self.stamp[task.index()]) == 0 {
            return;
        }
        self.len -= 1;
        let index = self.class_index(task);
        let class = &mut self.classes[index as usize];
        // What lies deeper in the queue is dropped when it comes to the front.
        while let Some(mut first) = class.queue.first_entry() {
            match first.get().front() {
                Some(&(id, stamp)) if self.stamp[id.index()] == stamp => break,
                Some(_) => drop(first.get_mut().pop_front()),
                None => drop(first.remove()),
            }
        }
        let head = class.queue.first_key_value().and_then(|(&rank, tasks)| {
            let &(_, stamp) = tasks.front()?;
            Some((rank, stamp))
        });
        if head != class.head {
            self.show_head(index, head);
        }
    }

    fn show_head(&mut self, index: u32, head: Option<(Rank, Stamp)>) {
        let class = &mut self.classes[index as usize];
        let old = std::mem::replace(&mut class.head, head);
        if class.parked {
            return;
        }
        if let Some((rank, stamp)) = old {
            self.heads.remove(&(rank, stamp, index));
        }
        if let Some((rank, stamp)) = head {
            self.heads.insert((rank, stamp, index));
        }
    }

    /// The task that is to start next: the best one whose lanes all have room.
    pub(crate) fn next(&mut self) -> Option<TaskId> {
        while let Some(&(rank, stamp, index)) = self.heads.first() {
            let class = &mut self.classes[index as usize];
            let full = class.lanes.iter().find(|used| {
                self.capacity[used.lane.index()] - self.used[used.lane.index()] < used.weight
            });
            let Some(full) = full else {
                return class
                    .queue
                    .get(&rank)
                    .and_then(|tasks| tasks.front())
                    .map(|&(id, _)| id);
            };
            class.parked = true;
            self.parked[full.lane.index()].push(index);
            self.heads.remove(&(rank, stamp, index));
        }
        None
    }

    /// Whether every lane of the task has room for it.
    pub(crate) fn has_room(&self, task: TaskId) -> bool {
        let mut lanes = self.lanes_of(task).iter();
        lanes.all(|used| {
            self.capacity[used.lane.index()] - self.used[used.lane.index()] >= used.weight
        })
    }

    /// Accounts for an attempt that starts.
    pub(crate) fn occupy(&mut self, task: TaskId) {
        let class = &self.classes[self.class_index(task) as usize];
        for used in &class.lanes {
            self.used[used.lane.index()] += used.weight;
            debug_assert!(self.used[used.lane.index()] <= self.capacity[used.lane.index()]);
        }
    }

    /// Accounts for an attempt that ended, and looks again at what waited for its lanes.
    ///
    /// Cost: a logarithm for each class that is parked on one of them. All are woken, since the best may
    /// turn out to wait for another lane; those that find no room are parked again one by one.
    pub(crate) fn release(&mut self, task: TaskId) {
        let index = self.class_index(task) as usize;
        for i in 0..self.classes[index].lanes.len() {
            let used = self.classes[index].lanes[i];
            self.used[used.lane.index()] -= used.weight;
            for woken in std::mem::take(&mut self.parked[used.lane.index()]) {
                let class = &mut self.classes[woken as usize];
                class.parked = false;
                if let Some((rank, stamp)) = class.head {
                    self.heads.insert((rank, stamp, woken));
                }
            }
        }
    }

    /// The lanes of a task, each once.
    pub(crate) fn lanes_of(&self, task: TaskId) -> &[LaneUse] {
        &self.classes[self.class_index(task) as usize].lanes
    }

    /// The queued tasks in the order in which they would start if every lane had room.
    pub(crate) fn order(&self) -> Vec<TaskId> {
        let mut all: Vec<(Rank, Stamp, TaskId)> = Vec::with_capacity(self.len);
        for class in &self.classes {
            for (&rank, tasks) in &class.queue {
                let live = tasks
                    .iter()
                    .filter(|(id, stamp)| self.stamp[id.index()] == *stamp);
                all.extend(live.map(|&(id, stamp)| (rank, stamp, id)));
            }
        }
        all.sort_unstable();
        all.into_iter().map(|(_, _, id)| id).collect()
    }
}

/// A lane named twice weighs the sum.
fn merged(lanes: &[LaneUse]) -> Vec<LaneUse> {
    let mut sums: BTreeMap<_, u32> = BTreeMap::new();
    for used in lanes {
        let sum = sums.entry(used.lane).or_default();
        *sum = sum.saturating_add(used.weight);
    }
    sums.into_iter()
        .map(|(lane, weight)| LaneUse { lane, weight })
        .collect()
}

#[cfg(test)]
mod tests;
