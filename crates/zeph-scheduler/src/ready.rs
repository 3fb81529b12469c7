//! The ready queue: which task starts next, and which must wait for a lane.
//!
//! Tasks that use the same lanes form a class, and each class has its own queue. A class whose best task
//! finds a lane full is parked on that lane until the lane has free units again. A dispatch inspects at
//! most the best task of each class.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zeph_graph::{LaneId, LaneUse, TaskGraph, TaskId};

/// Start order: priority, then critical path, then first in first out.
type Rank = (Reverse<i32>, Reverse<u64>);
/// When a task became ready, as a running number; never 0.
type Stamp = u32;

#[derive(Debug)]
pub(crate) struct Ready {
    classes: Vec<Class>,
    // The class of each set of lanes.
    known: BTreeMap<Vec<LaneUse>, u32>,
    // The class of each task up to the last one with lanes; the others are in class 0.
    class_of: Vec<u32>,
    // The stamp of each queued task; 0 if it is not queued.
    stamp: Vec<Stamp>,
    last_stamp: Stamp,
    // The priority of each task up to the last one whose priority is not 0.
    priority: Vec<i32>,
    // Bottom level of each task.
    weight: Vec<u64>,
    // The best task of each class that is neither empty nor parked.
    heads: BTreeSet<(Rank, Stamp, u32)>,
    parked: Vec<Vec<u32>>,
    used: Vec<u32>,
    capacity: Vec<u32>,
    // What the driver allows of each lane, besides its capacity.
    allowed: Vec<u32>,
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
            allowed: vec![u32::MAX; graph.lanes().len()],
            len: 0,
        };
        ready.grow(graph, weight);
        ready
    }

    /// Adds the tasks that were added to the graph, with their bottom levels.
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
            let mut lanes = rules.lanes.clone();
            lanes.sort_unstable_by_key(|used| used.lane);
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

    /// Queues a task behind the tasks of equal rank.
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
            self.set_head(index, Some((rank, stamp)));
        }
    }

    /// Removes a task from its queue. No-op if it is not queued.
    pub(crate) fn remove(&mut self, task: TaskId) {
        if std::mem::take(&mut self.stamp[task.index()]) == 0 {
            return;
        }
        self.len -= 1;
        let index = self.class_index(task);
        let class = &mut self.classes[index as usize];
        // Removed tasks deeper in the queue are dropped when they reach the front.
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
            self.set_head(index, head);
        }
    }

    fn set_head(&mut self, index: u32, head: Option<(Rank, Stamp)>) {
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

    /// The next task to start: the best one whose lanes all have room.
    pub(crate) fn next(&mut self) -> Option<TaskId> {
        while let Some(&(rank, stamp, index)) = self.heads.first() {
            let own = |used: &&LaneUse| !self.has_units(used);
            let others = |used: &&LaneUse| !self.is_allowed(used);
            let lanes = &self.classes[index as usize].lanes;
            // Only a class that waits for nothing else is parked on a lane that the driver limits.
            let full = lanes.iter().find(own).or(lanes.iter().find(others));
            let Some(full) = full.map(|used| used.lane) else {
                return self.classes[index as usize]
                    .queue
                    .get(&rank)
                    .and_then(|tasks| tasks.front())
                    .map(|&(id, _)| id);
            };
            self.classes[index as usize].parked = true;
            self.parked[full.index()].push(index);
            self.heads.remove(&(rank, stamp, index));
        }
        None
    }

    /// Whether every lane of the task has room for it, as far as its capacity goes.
    pub(crate) fn has_room(&self, task: TaskId) -> bool {
        self.lanes_of(task).iter().all(|used| self.has_units(used))
    }

    fn has_units(&self, used: &LaneUse) -> bool {
        self.capacity[used.lane.index()] - self.used[used.lane.index()] >= used.weight
    }

    fn is_allowed(&self, used: &LaneUse) -> bool {
        // The driver may allow less than what is in use already.
        let left = self.allowed[used.lane.index()].saturating_sub(self.used[used.lane.index()]);
        left >= used.weight
    }

    /// The units of a lane that may be in use: its capacity, or what the driver allows.
    pub(crate) fn lane_allowed(&self, lane: LaneId) -> u32 {
        self.capacity[lane.index()].min(self.allowed[lane.index()])
    }

    /// Sets what the driver allows of a lane.
    pub(crate) fn allow(&mut self, lane: LaneId, units: u32) {
        let Some(allowed) = self.allowed.get_mut(lane.index()) else {
            return;
        };
        let before = std::mem::replace(allowed, units);
        if units > before {
            self.unpark(lane);
        }
    }

    /// Whether a task would start if the driver allowed more of the lane.
    pub(crate) fn wants(&self, lane: LaneId) -> bool {
        let parked = self.parked.get(lane.index()).into_iter().flatten();
        let mut classes = parked.map(|&index| &self.classes[index as usize]);
        classes.any(|class| {
            class.head.is_some() && class.lanes.iter().all(|used| self.has_units(used))
        })
    }

    fn unpark(&mut self, lane: LaneId) {
        for woken in std::mem::take(&mut self.parked[lane.index()]) {
            let class = &mut self.classes[woken as usize];
            class.parked = false;
            if let Some((rank, stamp)) = class.head {
                self.heads.insert((rank, stamp, woken));
            }
        }
    }

    /// Occupies the lanes of a task whose attempt starts.
    pub(crate) fn occupy(&mut self, task: TaskId) {
        let class = &self.classes[self.class_index(task) as usize];
        for used in &class.lanes {
            self.used[used.lane.index()] += used.weight;
            debug_assert!(self.used[used.lane.index()] <= self.capacity[used.lane.index()]);
        }
    }

    /// Frees the lanes of a task whose attempt ended, and unparks the classes that wait for them.
    ///
    /// Cost: a logarithm for each unparked class. All are unparked, since the best one may have to wait
    /// for another lane; the others are parked again when a dispatch inspects them.
    pub(crate) fn release(&mut self, task: TaskId) {
        let index = self.class_index(task) as usize;
        for i in 0..self.classes[index].lanes.len() {
            let used = self.classes[index].lanes[i];
            self.used[used.lane.index()] -= used.weight;
            self.unpark(used.lane);
        }
    }

    /// The lanes of a task, in order.
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

#[cfg(test)]
mod tests;
