//! Shared lanes: an attempt in one holds a slot that counts for all runs of the store.
//!
//! A slot is a [lock](crate::named_lock), so a killed process frees its slots. One process at a time has the turn:
//! it takes the slot that is freed next, so a slot goes to the process that waits longest, and not back to the one
//! that freed it. The others take only a slot that has been free for [`PATIENCE`]: a process with the turn that is
//! stopped, or whose runs use fewer slots, delays them and does not stop them. The scheduler is given the slots as a
//! [quota](zeph_scheduler::Input::LaneQuota), so a task that waits for one is ready, and has no attempt and no
//! time-out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use zeph_graph::{LaneId, RunState, TaskGraph, TaskId, TaskState, Timestamp};
use zeph_scheduler::{Input, Scheduler};

use crate::active_run::ActiveRun;
use crate::core::Core;
use crate::message::Key;
use crate::named_lock::{LockGuard, LockName};
use crate::owner::Owners;

/// How long a slot is free before a process without the turn takes it.
const PATIENCE: Duration = Duration::from_millis(200);

/// A shared lane of an active run.
#[derive(Debug)]
pub(crate) struct RunLane {
    id: LaneId,
    name: Arc<str>,
    slots: u32,
    /// The slots of attempts that have started.
    used: BTreeMap<TaskId, LockGuard>,
    /// The slots of attempts whose start is being saved.
    starting: Vec<LockGuard>,
    /// Slots that have come since the last dispatch.
    fresh: Vec<LockGuard>,
}

impl RunLane {
    /// The shared lanes of a graph. A patch declares no lanes.
    pub(crate) fn of(graph: &TaskGraph) -> Vec<Self> {
        let lanes = (0..).map(LaneId::from_index).zip(graph.lanes());
        let shared = lanes.filter(|(_, lane)| lane.shared);
        let lane = |(id, lane): (LaneId, &zeph_graph::Lane)| Self {
            id,
            name: Arc::clone(&lane.name),
            slots: lane.capacity,
            used: BTreeMap::new(),
            starting: Vec::new(),
            fresh: Vec::new(),
        };
        shared.map(lane).collect()
    }

    /// Gives back the slots of attempts that have ended, and lets the scheduler use those that have come.
    fn offer(&mut self, scheduler: &mut Scheduler, now: Timestamp) {
        let in_use = scheduler.lane_used(self.id);
        let is_in_flight = |task: TaskId| {
            let state = scheduler.task(task).state();
            matches!(
                state,
                TaskState::Running { .. } | TaskState::Canceling { .. }
            )
        };
        self.used.retain(|&task, _| is_in_flight(task));
        let starting = (in_use as usize).saturating_sub(self.used.len());
        self.starting.truncate(starting);
        // There are at most as many slots as a lane has units.
        let units = in_use.saturating_add(self.fresh.len() as u32);
        let lane = self.id;
        scheduler.handle(now, Input::LaneQuota { lane, units });
    }

    /// Keeps the slots of the attempts that start, and gives back the others. Returns whether a task waits for one.
    fn settle(&mut self, scheduler: &Scheduler) -> bool {
        let in_use = scheduler.lane_used(self.id) as usize;
        let started = in_use.saturating_sub(self.used.len() + self.starting.len());
        let started = started.min(self.fresh.len());
        self.starting.extend(self.fresh.drain(..started));
        self.fresh.clear();
        scheduler.wants_lane(self.id)
    }
}

impl ActiveRun {
    /// To be called before a dispatch.
    pub(crate) fn offer_slots(&mut self, now: Timestamp) {
        for lane in &mut self.lanes {
            lane.offer(&mut self.scheduler, now);
        }
    }

    /// To be called when an attempt starts: gives it its slots. Returns the files of their locks, for the processes
    /// of the attempt.
    pub(crate) fn occupy_slots(&mut self, task: TaskId) -> Vec<Arc<File>> {
        let used = &self.scheduler.graph().task(task).rules().lanes;
        let mut files = Vec::new();
        for lane in &mut self.lanes {
            if used.iter().any(|used| used.lane == lane.id)
                && let Some(slot) = lane.starting.pop()
            {
                files.extend(slot.files());
                lane.used.insert(task, slot);
            }
        }
        files
    }

    /// Takes the slots of an attempt out of the run, which leaves the engine before the attempt has ended.
    pub(crate) fn take_slots(&mut self, task: TaskId) -> Vec<LockGuard> {
        let lanes = self.lanes.iter_mut();
        lanes.filter_map(|lane| lane.used.remove(&task)).collect()
    }
}

/// The wait of this engine's runs for a slot of one lane.
#[derive(Debug, Default)]
pub(crate) struct LaneQueue {
    /// The runs with a task that waits, the oldest first.
    wanting: BTreeSet<Key>,
    turn: Turn,
    /// The slots that threads wait for. A wait cannot be broken off: a slot that is not needed any more is given
    /// back when it comes.
    asked: BTreeSet<u32>,
    /// Runs while this engine has not the turn and leaves free slots to others.
    patience: Option<AbortHandle>,
}

/// Whether this engine takes the slot that is freed next.
#[derive(Debug, Default)]
enum Turn {
    #[default]
    Elsewhere,
    Asked,
    Here {
        _lock: LockGuard,
    },
}

impl LaneQueue {
    const fn has_turn(&self) -> bool {
        matches!(self.turn, Turn::Here { .. })
    }
}

/// The queues of all lanes, by name.
pub(crate) type LaneQueues = BTreeMap<Arc<str>, LaneQueue>;

/// What a lane waited for.
pub(crate) struct LaneNews {
    lane: Arc<str>,
    what: News,
}

enum News {
    Turn(io::Result<LockGuard>),
    Slot(u32, io::Result<LockGuard>),
    /// [`PATIENCE`] has passed.
    Patience,
}

impl Core {
    /// To be called after a dispatch: notes which lanes the run waits for.
    pub(crate) fn settle_slots(&mut self, key: Key) {
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        let scheduler = &active.scheduler;
        let lanes = active.lanes.iter_mut();
        let wants: Vec<(Arc<str>, bool)> = lanes
            .map(|lane| (Arc::clone(&lane.name), lane.settle(scheduler)))
            .collect();
        for (lane, wants) in wants {
            let queue = self.lane_queues.entry(Arc::clone(&lane)).or_default();
            if !wants {
                queue.wanting.remove(&key);
            } else if queue.wanting.insert(key) {
                self.be_patient(&lane);
            }
            self.seek_slot(&lane);
        }
    }

    /// A run leaves the engine.
    pub(crate) fn leave_lanes(&mut self, key: Key) {
        let names: Vec<Arc<str>> = self.lane_queues.keys().map(Arc::clone).collect();
        for lane in names {
            let queue = self.lane_queues.get_mut(&lane);
            if queue.is_some_and(|queue| queue.wanting.remove(&key)) {
                self.seek_slot(&lane);
            }
        }
    }

    /// What a lane waited for has come.
    pub(crate) fn take_lane_news(&mut self, LaneNews { lane, what }: LaneNews) {
        let Some(queue) = self.lane_queues.get_mut(&lane) else {
            return;
        };
        match what {
            News::Turn(Ok(lock)) => {
                queue.turn = Turn::Here { _lock: lock };
                if let Some(patience) = queue.patience.take() {
                    patience.abort();
                }
            }
            News::Turn(Err(error)) => {
                queue.turn = Turn::Elsewhere;
                self.lane_failed(&lane, &error);
            }
            News::Slot(slot, guard) => {
                queue.asked.remove(&slot);
                match guard {
                    Ok(guard) if queue.has_turn() => drop(self.grant(&lane, slot, guard)),
                    // The process with the turn takes it, if it can.
                    Ok(guard) => {
                        drop(guard);
                        self.be_patient(&lane);
                    }
                    Err(error) => self.lane_failed(&lane, &error),
                }
            }
            News::Patience => {
                queue.patience = None;
                if !queue.has_turn() && self.try_slots(&lane) {
                    self.be_patient(&lane);
                }
            }
        }
        self.seek_slot(&lane);
    }

    /// Goes on towards a slot for the runs that wait for one.
    fn seek_slot(&mut self, lane: &Arc<str>) {
        while let Some(queue) = self.lane_queues.get_mut(lane) {
            let Some(&first) = queue.wanting.first() else {
                // Another process may take a slot.
                if queue.has_turn() {
                    queue.turn = Turn::Elsewhere;
                }
                return;
            };
            match queue.turn {
                Turn::Here { .. } => {}
                Turn::Asked => return,
                Turn::Elsewhere => {
                    queue.turn = Turn::Asked;
                    return self.await_lane_lock(lane, None, first);
                }
            }
            if !self.try_slots(lane) {
                return;
            }
        }
    }

    /// Takes a free slot for the oldest run that can use it. If there is none, it waits for each slot. Returns
    /// whether it took one.
    fn try_slots(&mut self, lane: &Arc<str>) -> bool {
        let Some(queue) = self.lane_queues.get(lane) else {
            return false;
        };
        let Some(&first) = queue.wanting.first() else {
            return false;
        };
        // Each run counts with its own limit.
        let wanting = queue.wanting.iter().filter_map(|key| self.runs.get(key));
        let lanes = wanting.flat_map(|active| &active.lanes);
        let slots = lanes.filter(|one| one.name == *lane).map(|one| one.slots);
        let slots = 0..slots.max().unwrap_or_default();
        let mut taken = Vec::new();
        for slot in slots.filter(|slot| !queue.asked.contains(slot)) {
            let name = LockName::of_slot(lane, slot);
            match self.config.locks.try_lock(&name, &self.name_of(first)) {
                Ok(Some(guard)) => return self.grant(lane, slot, guard),
                Ok(None) => taken.push(slot),
                Err(error) => {
                    self.lane_failed(lane, &error);
                    return false;
                }
            }
        }
        for slot in taken {
            self.await_lane_lock(lane, Some(slot), first);
        }
        false
    }

    fn name_of(&self, key: Key) -> String {
        let active = self.runs.get(&key);
        active.map_or_else(String::new, |active| active.chain.run().to_string())
    }

    /// Waits for a slot, or for the turn.
    fn await_lane_lock(&mut self, lane: &Arc<str>, slot: Option<u32>, run: Key) {
        let name = match slot {
            None => LockName::of_turn(lane),
            Some(slot) => LockName::of_slot(lane, slot),
        };
        if let (Some(slot), Some(queue)) = (slot, self.lane_queues.get_mut(lane)) {
            queue.asked.insert(slot);
        }
        let (news, lane) = (self.lane_news.clone(), Arc::clone(lane));
        self.config
            .locks
            .wait(name, self.name_of(run), move |lock| {
                let what = match slot {
                    None => News::Turn(lock),
                    Some(slot) => News::Slot(slot, lock),
                };
                // Fails if the engine has ended.
                let _ = news.send(LaneNews { lane, what });
            });
    }

    /// Leaves the slots of a lane to the process with the turn for a moment, if this is not the one.
    fn be_patient(&mut self, lane: &Arc<str>) {
        let Some(queue) = self.lane_queues.get_mut(lane) else {
            return;
        };
        if queue.has_turn() || queue.patience.is_some() || queue.wanting.is_empty() {
            return;
        }
        let (news, lane) = (self.lane_news.clone(), Arc::clone(lane));
        let timer = tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            let what = News::Patience;
            let _ = news.send(LaneNews { lane, what });
        });
        queue.patience = Some(timer.abort_handle());
    }

    /// Gives a slot to the oldest run that waits for one and counts it. Returns whether there is one.
    fn grant(&mut self, lane: &Arc<str>, slot: u32, mut guard: LockGuard) -> bool {
        let Some(queue) = self.lane_queues.get_mut(lane) else {
            return false;
        };
        for &key in &queue.wanting {
            let Some(active) = self.runs.get_mut(&key) else {
                continue;
            };
            let run = active.chain.run().to_string();
            let wanted = active.lanes.iter_mut().find(|one| one.name == *lane);
            let Some(wanted) = wanted.filter(|wanted| slot < wanted.slots) else {
                continue;
            };
            if let Err(error) = guard.name(&run) {
                self.lane_failed(lane, &error);
                return false;
            }
            wanted.fresh.push(guard);
            queue.wanting.remove(&key);
            // The next run, here or elsewhere, queues for the turn.
            if queue.has_turn() {
                queue.turn = Turn::Elsewhere;
            }
            self.dirty.insert(key);
            return true;
        }
        false
    }

    /// The locks of a lane cannot be used: the runs that wait for it are suspended, and can be resumed.
    fn lane_failed(&mut self, lane: &Arc<str>, error: &io::Error) {
        let Some(queue) = self.lane_queues.get_mut(lane) else {
            return;
        };
        if queue.has_turn() {
            queue.turn = Turn::Elsewhere;
        }
        for key in std::mem::take(&mut queue.wanting) {
            self.update(key, |active, now| {
                let reason = format!("the locks of the shared lane {lane:?}: {error}");
                active.store_error.get_or_insert(reason);
                if active.scheduler.state() != RunState::Suspending {
                    active.scheduler.handle(now, Input::Suspend);
                }
            });
        }
    }
}

impl Owners {
    /// The runs that use the slots of a shared lane, once for each slot. They can be old by a moment: a slot is
    /// decided by its lock, and this only informs.
    #[must_use]
    pub fn lane_holders(&self, lane: &str, slots: u32) -> Vec<String> {
        let slots = 0..slots;
        let holder = |slot| self.holder_of(&LockName::of_slot(lane, slot));
        slots.filter_map(holder).collect()
    }

    /// The run that takes the slot of a shared lane that is freed next; `None` if none waits. It can be old by a
    /// moment.
    #[must_use]
    pub fn lane_turn(&self, lane: &str) -> Option<String> {
        self.holder_of(&LockName::of_turn(lane))
    }
}
