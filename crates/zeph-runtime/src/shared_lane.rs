//! Shared lanes: an attempt in one holds a slot that counts for all runs of the store.
//!
//! A slot is a [lock](crate::named_lock), so a killed process frees its slots. Of all processes one at a time has the
//! turn to take a slot: so a slot that is freed goes to the process that waits longest, and not back to the one that
//! freed it. The scheduler is given the slots as a [quota](zeph_scheduler::Input::LaneQuota), so a task that waits for
//! one is ready, and has no attempt and no time-out.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use zeph_graph::{LaneId, RunState, TaskGraph, Timestamp};
use zeph_scheduler::{Input, Scheduler};

use crate::active_run::ActiveRun;
use crate::core::Core;
use crate::message::Key;
use crate::named_lock::{LockGuard, LockName};
use crate::owner::Owners;

/// A shared lane of an active run.
#[derive(Debug)]
pub(crate) struct RunLane {
    id: LaneId,
    name: Arc<str>,
    slots: u32,
    /// The slots of attempts.
    used: Vec<LockGuard>,
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
            used: Vec::new(),
            fresh: Vec::new(),
        };
        shared.map(lane).collect()
    }

    /// Gives back the slots of attempts that have ended, and lets the scheduler use those that have come.
    fn offer(&mut self, scheduler: &mut Scheduler, now: Timestamp) {
        let in_use = scheduler.lane_used(self.id);
        self.used.truncate(in_use as usize);
        // There are at most as many slots as a lane has units.
        let units = in_use.saturating_add(self.fresh.len() as u32);
        let lane = self.id;
        scheduler.handle(now, Input::LaneQuota { lane, units });
    }

    /// Keeps the slots of the attempts that start, and gives back the others. Returns whether a task waits for one.
    fn settle(&mut self, scheduler: &Scheduler) -> bool {
        let in_use = scheduler.lane_used(self.id) as usize;
        let started = in_use.saturating_sub(self.used.len());
        let started = started.min(self.fresh.len());
        self.used.extend(self.fresh.drain(..started));
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
}

/// Whether this engine may take a slot.
#[derive(Debug, Default)]
enum Turn {
    #[default]
    Elsewhere,
    Asked,
    Here {
        _lock: LockGuard,
    },
}

/// The queues of all lanes, by name.
pub(crate) type LaneQueues = BTreeMap<Arc<str>, LaneQueue>;

/// A lock that a lane waited for: its turn, or one of its slots.
pub(crate) struct LaneLock {
    lane: Arc<str>,
    slot: Option<u32>,
    lock: io::Result<LockGuard>,
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
            match wants {
                true => drop(queue.wanting.insert(key)),
                false => drop(queue.wanting.remove(&key)),
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

    /// A lock has come that a lane waited for.
    pub(crate) fn take_lane_lock(&mut self, LaneLock { lane, slot, lock }: LaneLock) {
        let Some(queue) = self.lane_queues.get_mut(&lane) else {
            return;
        };
        match slot {
            Some(slot) => drop(queue.asked.remove(&slot)),
            None => queue.turn = Turn::Elsewhere,
        }
        match (lock, slot) {
            (Err(error), _) => self.lane_failed(&lane, &error),
            (Ok(lock), None) => queue.turn = Turn::Here { _lock: lock },
            (Ok(guard), Some(slot)) => self.grant(&lane, slot, guard),
        }
        self.seek_slot(&lane);
    }

    /// Goes on towards a slot for the oldest run that waits for one.
    fn seek_slot(&mut self, lane: &Arc<str>) {
        let Some(queue) = self.lane_queues.get_mut(lane) else {
            return;
        };
        let Some(key) = queue.wanting.first().copied() else {
            // Another process may take a slot.
            if matches!(queue.turn, Turn::Here { .. }) {
                queue.turn = Turn::Elsewhere;
            }
            return;
        };
        let Some(active) = self.runs.get(&key) else {
            return;
        };
        let run = active.chain.run().to_string();
        let wanted = active.lanes.iter().find(|one| one.name == *lane);
        let slots = wanted.map_or(0, |lane| lane.slots);
        match queue.turn {
            Turn::Asked => return,
            Turn::Elsewhere => {
                queue.turn = Turn::Asked;
                return self.await_lane_lock(lane, None, run);
            }
            Turn::Here { .. } => {}
        }
        let mut taken = Vec::new();
        for slot in (0..slots).filter(|slot| !queue.asked.contains(slot)) {
            match self
                .config
                .locks
                .try_lock(&LockName::of_slot(lane, slot), &run)
            {
                Ok(Some(guard)) => return self.grant(lane, slot, guard),
                Ok(None) => taken.push(slot),
                Err(error) => return self.lane_failed(lane, &error),
            }
        }
        queue.asked.extend(&taken);
        for slot in taken {
            self.await_lane_lock(lane, Some(slot), run.clone());
        }
    }

    fn await_lane_lock(&self, lane: &Arc<str>, slot: Option<u32>, run: String) {
        let name = match slot {
            None => LockName::of_turn(lane),
            Some(slot) => LockName::of_slot(lane, slot),
        };
        let (locks, lane) = (self.lane_locks.clone(), Arc::clone(lane));
        self.config.locks.wait(name, run, move |lock| {
            // Fails if the engine has ended.
            let _ = locks.send(LaneLock { lane, slot, lock });
        });
    }

    /// Gives a slot to the oldest run that waits for one, if this engine has the turn.
    fn grant(&mut self, lane: &Arc<str>, slot: u32, mut guard: LockGuard) {
        let Some(queue) = self.lane_queues.get_mut(lane) else {
            return;
        };
        let Some(key) = queue.wanting.first().copied() else {
            return;
        };
        let Some(active) = self.runs.get_mut(&key) else {
            return;
        };
        let run = active.chain.run().to_string();
        let wanted = active.lanes.iter_mut().find(|one| one.name == *lane);
        let Some(wanted) = wanted.filter(|wanted| slot < wanted.slots) else {
            return;
        };
        if !matches!(queue.turn, Turn::Here { .. }) {
            return;
        }
        if let Err(error) = guard.name(&run) {
            return self.lane_failed(lane, &error);
        }
        wanted.fresh.push(guard);
        // The next run, here or elsewhere, queues for the turn.
        queue.turn = Turn::Elsewhere;
        queue.wanting.remove(&key);
        self.dirty.insert(key);
        self.seek_slot(lane);
    }

    /// The locks of a lane cannot be used: the runs that wait for it are suspended, and can be resumed.
    fn lane_failed(&mut self, lane: &Arc<str>, error: &io::Error) {
        let Some(queue) = self.lane_queues.get_mut(lane) else {
            return;
        };
        queue.turn = Turn::Elsewhere;
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
}
