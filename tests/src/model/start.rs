//! Start: which tasks may start now, computed from all tasks.

use zeph_graph::{LaneId, TaskId};

use super::{Model, Phase, Stage};

impl Model {
    /// The units of a lane that may be in use: its capacity, or what the driver allows.
    pub(crate) fn lane_limit(&self, lane: LaneId) -> u32 {
        let capacity = self.facts.graph().lanes()[lane.index()].capacity;
        let quota = self.lane_quotas.get(&lane).copied();
        quota.map_or(capacity, |quota| quota.min(capacity))
    }

    /// The candidates for the next start: ready tasks of equal, highest rank whose lanes have room.
    #[must_use]
    pub fn may_start(&self) -> Vec<TaskId> {
        let open = self.phase == Phase::Live
            && !self.paused
            && !self.awaiting_resume
            && (self.ending.is_none() || self.is_work_over())
            && self.in_flight() < self.slots() as usize;
        if !open {
            return Vec::new();
        }
        let queued = |task: &TaskId| self.life(*task).stage == Stage::Queued;
        let fits = |task: &TaskId| self.has_room(*task);
        let all: Vec<TaskId> = self
            .facts
            .graph()
            .ids()
            .filter(queued)
            .filter(fits)
            .collect();
        let beaten = |task: TaskId| all.iter().any(|&other| self.goes_before(other, task));
        all.iter().copied().filter(|&task| !beaten(task)).collect()
    }

    /// The limit of attempts in flight.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.facts.header.policy.max_parallel.get().min(self.quota)
    }

    fn has_room(&self, task: TaskId) -> bool {
        self.facts.lanes(task).iter().all(|wanted| {
            let used = u64::from(self.lane_use(wanted.lane.index()));
            used + u64::from(wanted.weight) <= u64::from(self.lane_limit(wanted.lane))
        })
    }

    /// The units of a lane that attempts in flight occupy.
    #[must_use]
    pub fn lane_use(&self, lane: usize) -> u32 {
        let holders = self
            .facts
            .graph()
            .ids()
            .filter(|&task| self.life(task).has_attempt());
        let uses = holders.flat_map(|task| self.facts.lanes(task));
        uses.filter(|used| used.lane.index() == lane)
            .map(|used| used.weight)
            .sum()
    }

    fn goes_before(&self, a: TaskId, b: TaskId) -> bool {
        let key = |task: TaskId| {
            (
                -i64::from(self.facts.rules(task).priority),
                u64::MAX - self.facts.bottom[task.index()],
                self.life(task).queued_at,
            )
        };
        key(a) < key(b)
    }

    /// Applies a start of the scheduler, and checks that the task was a candidate.
    ///
    /// # Errors
    /// A description of the violation.
    pub fn started(&mut self, task: TaskId, no: u32) -> Result<(), String> {
        let allowed = self.may_start();
        if !allowed.contains(&task) {
            return Err(format!("{task} starts, but only {allowed:?} may"));
        }
        let (now, last) = (self.now, self.life(task).attempts);
        if no != last + 1 {
            return Err(format!("attempt {no} of {task} follows attempt {last}"));
        }
        let life = &mut self.lives[task.index()];
        life.attempts = no;
        life.stage = Stage::Working(no, now);
        self.wind();
        Ok(())
    }
}
