//! Starts: what may become ready, and which of the ready tasks may start first.

use zeph_graph::{Attempt, CutWhy, Effect, Entry, Record, TaskId, Trigger};
use zeph_scheduler::Action;

use super::{Audit, Place};
use crate::hold;
use crate::violation::Check;

impl Audit {
    pub(super) fn inv_01_dependencies_satisfied(&self, task: TaskId, record: &Record) -> Check {
        let parents = self.facts.graph().parents(task);
        let satisfied = match self.facts.rules(task).trigger {
            Trigger::AllSuccess => parents.iter().all(|p| self.books[p.index()].is_completed()),
            Trigger::AllDone => parents.iter().all(|p| self.books[p.index()].is_ended()),
        };
        hold!(
            satisfied,
            1,
            "dependencies_satisfied",
            "{record:?}, but the trigger of {task} has not fired"
        );
        Ok(())
    }

    pub(super) fn readied(&mut self, task: TaskId, entry: &Entry) -> Check {
        self.inv_01_dependencies_satisfied(task, &entry.record)?;
        let book = &mut self.books[task.index()];
        let fine = match book.place {
            Place::Waiting | Place::Between => true,
            Place::BackingOff(until) => until <= entry.at,
            Place::Ready(_) | Place::Running(..) | Place::Asking(_) | Place::Ended { .. } => false,
        };
        hold!(
            fine,
            12,
            "strategies",
            "{task} becomes ready from {:?}",
            book.place
        );
        book.place = Place::Ready(entry.seq.get());
        Ok(())
    }

    pub(super) fn started(&mut self, task: TaskId, attempt: Attempt) -> Check {
        hold!(
            !self.books[task.index()].is_ended(),
            5,
            "no_start_after_result",
            "{task} starts again after its end"
        );
        self.inv_12_nothing_starts_when_closed(task)?;
        self.inv_08_attempts_numbered(task, attempt)?;
        self.inv_02_lanes_have_room(task)?;
        self.best_goes_first(task)?;
        let book = &mut self.books[task.index()];
        book.attempts = attempt.get();
        book.place = Place::Running(attempt, None);
        self.expected.actions.push(Action::Start { task, attempt });
        Ok(())
    }

    fn inv_12_nothing_starts_when_closed(&self, task: TaskId) -> Check {
        hold!(
            self.ending.is_none(),
            12,
            "strategies",
            "{task} starts after {:?}",
            self.ending
        );
        hold!(
            !self.paused && !self.suspending,
            12,
            "strategies",
            "{task} starts although the run is paused or suspended"
        );
        Ok(())
    }

    fn inv_08_attempts_numbered(&self, task: TaskId, attempt: Attempt) -> Check {
        let book = &self.books[task.index()];
        hold!(
            attempt.get() == book.attempts + 1,
            8,
            "attempts_numbered",
            "attempt {attempt} of {task} follows attempt {}",
            book.attempts
        );
        let retries = self.facts.rules(task).retry.max_retries;
        // Only a person can repeat an at-most-once task, and `manual_retries` counts that already.
        let free = match self.facts.rules(task).effect {
            Effect::AtMostOnce => 0,
            Effect::Pure | Effect::Idempotent => book.free,
        };
        let most = 1 + u64::from(retries) + u64::from(book.manual_retries) + u64::from(free);
        hold!(
            u64::from(attempt.get()) <= most,
            8,
            "attempts_numbered",
            "attempt {attempt} of {task}, of which there may be {most}"
        );
        Ok(())
    }

    fn inv_02_lanes_have_room(&self, task: TaskId) -> Check {
        let running = self.running().count();
        let limit = self.facts.header.policy.max_parallel.get() as usize;
        hold!(
            running < limit,
            2,
            "lanes_within_capacity",
            "{task} starts beside {running} others, of {limit}"
        );
        hold!(
            self.has_room(task),
            2,
            "lanes_within_capacity",
            "{task} starts in a full lane"
        );
        Ok(())
    }

    fn running(&self) -> impl Iterator<Item = TaskId> + '_ {
        let running = |task: &TaskId| matches!(self.books[task.index()].place, Place::Running(..));
        self.facts.graph().ids().filter(running)
    }

    fn has_room(&self, task: TaskId) -> bool {
        let lanes = self.facts.graph().lanes();
        self.facts.lanes(task).iter().all(|wanted| {
            let others = self.running().flat_map(|other| self.facts.lanes(other));
            let used: u64 = others
                .filter(|used| used.lane == wanted.lane)
                .map(|used| u64::from(used.weight))
                .sum();
            used + u64::from(wanted.weight) <= u64::from(lanes[wanted.lane.index()].capacity)
        })
    }

    /// Checks the order: priority, critical path, first in first out. A task whose lane is full is skipped.
    fn best_goes_first(&self, task: TaskId) -> Check {
        let rank = |task: TaskId| match self.books[task.index()].place {
            Place::Ready(since) => Some((
                -i64::from(self.facts.rules(task).priority),
                u64::MAX - self.facts.bottom[task.index()],
                since,
            )),
            Place::Waiting
            | Place::Running(..)
            | Place::Between
            | Place::BackingOff(_)
            | Place::Asking(_)
            | Place::Ended { .. } => None,
        };
        let mine = rank(task);
        hold!(
            mine.is_some(),
            1,
            "dependencies_satisfied",
            "{task} starts without being ready"
        );
        for other in self.facts.graph().ids() {
            let better = rank(other).is_some() && rank(other) < mine;
            hold!(
                !better || !self.has_room(other),
                2,
                "lanes_within_capacity",
                "{task} starts before {other}, which goes first and has room"
            );
        }
        Ok(())
    }

    pub(super) fn cancel_requested(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        why: CutWhy,
    ) -> Check {
        let place = &mut self.books[task.index()].place;
        let Place::Running(running, before) = *place else {
            hold!(
                false,
                10,
                "one_cancel_per_ended_attempt",
                "{task} is told to end and does not run"
            );
            return Ok(());
        };
        hold!(
            running == attempt && before != Some(why),
            10,
            "one_cancel_per_ended_attempt",
            "attempt {attempt} of {task} is told to end; {running} runs, told {before:?} already"
        );
        hold!(
            !matches!(before, Some(CutWhy::Cancel(_))),
            17,
            "cancel_is_complete",
            "{task} is cancelled and then told {why:?}"
        );
        *place = Place::Running(attempt, Some(why));
        if before.is_none() {
            self.expected.actions.push(Action::Cancel { task, attempt });
        }
        Ok(())
    }
}
