//! Starts: what may become ready, and which of the ready tasks may start first.

use zeph_graph::{Attempt, CutWhy, Effect, Entry, Fault, Record, TaskId, Trigger};
use zeph_scheduler::Action;

use super::{Audit, LogEnd, LogState, Required, TaskLog};
use crate::hold;
use crate::violation::Check;

impl Audit {
    pub(super) fn inv_01_dependencies_satisfied(&self, task: TaskId, record: &Record) -> Check {
        let parents = self.facts.graph().parents(task);
        let rules = self.facts.rules(task);
        let all =
            |fits: fn(&TaskLog) -> bool| parents.iter().all(|p| fits(&self.task_logs[p.index()]));
        let any = |end| {
            parents
                .iter()
                .any(|p| self.task_logs[p.index()].ended_as(end))
        };
        let satisfied = match rules.trigger {
            Trigger::AllSuccess => all(TaskLog::is_completed),
            Trigger::AllDone => all(TaskLog::is_ended),
            Trigger::AnySuccess => parents.is_empty() || any(LogEnd::Completed),
            Trigger::AnyFailed => parents.is_empty() || any(LogEnd::Failed),
            Trigger::NoneFailed => all(TaskLog::is_ended) && !any(LogEnd::Failed),
        };
        hold!(
            satisfied && (!rules.finally || self.is_work_over()) && self.is_in_turn(task),
            1,
            "dependencies_satisfied",
            "{record:?}, but the trigger of {task} has not fired"
        );
        Ok(())
    }

    /// A task with the rule is prepared when its trigger fires, and again if its preparation failed.
    pub(super) fn preparing(&mut self, task: TaskId, record: &Record) -> Check {
        self.inv_01_dependencies_satisfied(task, record)?;
        let is_prepared = self.facts.rules(task).prepare.is_some();
        let log = &mut self.task_logs[task.index()];
        let is_again = log.state == LogState::Between && log.is_unprepared;
        hold!(
            is_prepared && (log.state == LogState::Waiting || is_again) && log.attempts == 0,
            27,
            "prepared_before_the_start",
            "{record:?} from {:?}",
            log.state
        );
        log.state = LogState::Preparing;
        log.is_unprepared = false;
        self.expected.actions.push(Action::Prepare { task });
        Ok(())
    }

    pub(super) fn prepare_failed(&mut self, task: TaskId, fault: Fault) -> Check {
        let log = &mut self.task_logs[task.index()];
        hold!(
            log.state == LogState::Preparing && matches!(fault, Fault::Prepare | Fault::Skipped),
            27,
            "prepared_before_the_start",
            "{task} could not be prepared ({fault}), from {:?}",
            log.state
        );
        log.state = LogState::Between;
        log.is_unprepared = true;
        self.required = Some(Required::Failure(task, fault));
        Ok(())
    }

    /// Whether a task may start its work or ask for its approval from this state: it was prepared, or needs not
    /// be.
    pub(super) fn is_prepared(&self, task: TaskId) -> bool {
        let has_rule = self.facts.rules(task).prepare.is_some();
        match self.task_logs[task.index()].state {
            LogState::Preparing => has_rule,
            LogState::Waiting => !has_rule,
            LogState::Ready(_)
            | LogState::Running(..)
            | LogState::Between
            | LogState::BackingOff(_)
            | LogState::Asking(_)
            | LogState::Mapping
            | LogState::FallingBack(_)
            | LogState::Ended(_) => false,
        }
    }

    pub(super) fn readied(&mut self, task: TaskId, entry: &Entry) -> Check {
        self.inv_01_dependencies_satisfied(task, &entry.record)?;
        let has_results = self.items_allow(task, false);
        let is_prepared = self.is_prepared(task);
        let log = &mut self.task_logs[task.index()];
        let fine = match log.state {
            LogState::Waiting | LogState::Preparing => is_prepared,
            LogState::Between => true,
            LogState::Mapping => has_results,
            LogState::BackingOff(until) => until <= entry.at,
            LogState::Ready(_)
            | LogState::Running(..)
            | LogState::Asking(_)
            | LogState::FallingBack(_)
            | LogState::Ended(_) => false,
        };
        hold!(
            fine,
            12,
            "strategies",
            "{task} becomes ready from {:?}",
            log.state
        );
        log.state = LogState::Ready(entry.seq.get());
        Ok(())
    }

    pub(super) fn started(&mut self, task: TaskId, attempt: Attempt) -> Check {
        hold!(
            !self.task_logs[task.index()].is_ended(),
            5,
            "no_start_after_result",
            "{task} starts again after its end"
        );
        self.inv_12_nothing_starts_when_closed(task)?;
        self.inv_08_attempts_numbered(task, attempt)?;
        self.inv_02_lanes_have_room(task)?;
        self.best_goes_first(task)?;
        let log = &mut self.task_logs[task.index()];
        log.attempts = attempt.get();
        log.state = LogState::Running(attempt, None);
        self.expected.actions.push(Action::Start { task, attempt });
        Ok(())
    }

    fn inv_12_nothing_starts_when_closed(&self, task: TaskId) -> Check {
        hold!(
            self.ending.is_none() || (self.facts.rules(task).finally && self.is_work_over()),
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
        let log = &self.task_logs[task.index()];
        hold!(
            attempt.get() == log.attempts + 1,
            8,
            "attempts_numbered",
            "attempt {attempt} of {task} follows attempt {}",
            log.attempts
        );
        let retries = self.facts.rules(task).retry.max_retries;
        // Only a person can repeat an at-most-once task, and `manual_retries` counts that already.
        let free = match self.facts.effect(task) {
            Effect::AtMostOnce => 0,
            Effect::Pure | Effect::Idempotent => log.free,
        };
        let most = 1 + u64::from(retries) + u64::from(log.manual_retries) + u64::from(free);
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
        let running =
            |task: &TaskId| matches!(self.task_logs[task.index()].state, LogState::Running(..));
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
        let rank = |task: TaskId| match self.task_logs[task.index()].state {
            LogState::Ready(since) => Some((
                -i64::from(self.facts.rules(task).priority),
                u64::MAX - self.facts.bottom[task.index()],
                since,
            )),
            LogState::Waiting
            | LogState::Preparing
            | LogState::Running(..)
            | LogState::Between
            | LogState::BackingOff(_)
            | LogState::Asking(_)
            | LogState::Mapping
            | LogState::FallingBack(_)
            | LogState::Ended(_) => None,
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
            // What the driver allows of a shared lane is not in the journal.
            let lanes = self.facts.graph().lanes();
            let mut used = self.facts.lanes(other).iter();
            let is_shared = used.any(|used| lanes[used.lane.index()].shared);
            hold!(
                !better || is_shared || !self.has_room(other),
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
        let state = &mut self.task_logs[task.index()].state;
        let LogState::Running(running, before) = *state else {
            hold!(
                false,
                10,
                "one_cancel_per_ended_attempt",
                "{task} must end and does not run"
            );
            return Ok(());
        };
        hold!(
            running == attempt && before != Some(why),
            10,
            "one_cancel_per_ended_attempt",
            "attempt {attempt} of {task} must end; {running} runs, and must end by {before:?}"
        );
        hold!(
            !matches!(before, Some(CutWhy::Cancel(_) | CutWhy::Override)),
            17,
            "cancel_is_complete",
            "{task} has its end and is then cut by {why:?}"
        );
        *state = LogState::Running(attempt, Some(why));
        if before.is_none() {
            self.expected.actions.push(Action::Cancel { task, attempt });
        }
        Ok(())
    }
}
