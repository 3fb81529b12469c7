//! Drain: executors report and questions are answered, so the run must end within a bounded number of
//! events.

use zeph_graph::{LaneId, RunState, TaskState};
use zeph_scheduler::{Input, OpenQuestion, Prepared, Scope};

use super::world::{Job, World};
use crate::hold;
use crate::violation::Check;

impl World {
    /// Lets executors report and answers all questions until the run ends.
    pub(super) fn drain(&mut self) -> Check {
        let tasks = self.lockstep.facts().graph().len() as u64;
        let bound = 60 + 40 * tasks;
        self.mix.slow_disk /= 2;
        self.mix.failing = 0;
        self.mix.crashing /= 2;
        let mut left = bound;
        loop {
            if self.lockstep.is_saving() {
                self.append()?;
            }
            self.turn()?;
            if let RunState::Ended(_) = self.lockstep.machine().state()
                && !self.lockstep.is_saving()
            {
                return Ok(());
            }
            hold!(
                left > 0,
                11,
                "ends_in_bounded_events",
                "the run goes on after {bound} answers: {:?}",
                self.lockstep.snapshot()
            );
            left -= 1;
            // The second half of the events has no crashes, so that the bound holds.
            if left < bound / 2 {
                self.mix.crashing = 0;
            }
            self.answer_something()?;
        }
    }

    fn answer_something(&mut self) -> Check {
        match self.lockstep.machine().state() {
            RunState::Suspended => {
                self.tell(Input::Resume)?;
                return Ok(());
            }
            RunState::Paused => {
                self.tell(Input::Unpause)?;
                return Ok(());
            }
            RunState::Running | RunState::Waiting | RunState::Suspending | RunState::Ended(_) => {}
        }
        if self.lockstep.machine().awaits_resume() {
            self.tell(Input::Resume)?;
            return Ok(());
        }
        if let Some(&task) = self.lockstep.snapshot().preparing.first() {
            let then = Prepared::Run;
            self.tell(Input::Prepared { task, then })?;
            return Ok(());
        }
        // Running attempts report before those that are being stopped, so that short time-outs near
        // `Timestamp::MAX` cannot starve them.
        let runs = |job: &&Job| {
            let state = self.lockstep.snapshot().states[job.task.index()];
            matches!(state, TaskState::Running { .. })
        };
        let job = self.jobs.iter().find(runs).or(self.jobs.first()).copied();
        if let Some(Job { task, attempt, .. }) = job {
            self.end_attempt(task, attempt);
            let input = Input::Completed {
                task,
                attempt,
                output: None,
                log: None,
            };
            self.tell(input)?;
            return Ok(());
        }
        let open: Option<OpenQuestion> = self.lockstep.machine().questions().next();
        if let Some(open) = open {
            let answer = self.fitting(&open, true);
            return self.answer(open.id, answer);
        }
        if let Some(due) = self.lockstep.machine().deadline() {
            self.now = self.now.max(due);
            self.tell(Input::Tick)?;
            return Ok(());
        }
        // A task that waits until `Timestamp::MAX` can only be canceled.
        let stuck = self.lockstep.machine().stuck();
        match stuck.first() {
            Some(_) => self.tell(Input::Cancel(Scope::Run))?,
            None => {
                for input in self.lane_quotas(u32::MAX) {
                    self.tell(input)?;
                }
                self.tell(Input::Quota(u32::MAX))?
            }
        };
        Ok(())
    }

    /// The same quota for each shared lane.
    pub(super) fn lane_quotas(&self, units: u32) -> Vec<Input> {
        let graph = self.lockstep.machine().graph();
        let lanes = (0..).map(LaneId::from_index).zip(graph.lanes());
        let shared = lanes.filter(|(_, lane)| lane.shared);
        shared
            .map(|(lane, _)| Input::LaneQuota { lane, units })
            .collect()
    }
}
