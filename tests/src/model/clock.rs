//! Clock: time limits as lists of intervals, and the timers that follow from them.

use std::time::Duration;

use zeph_graph::{AskWhy, FailureAnswer, Fault, OnFailure, TaskId, Timestamp, Work};
use zeph_scheduler::{Timer, TimerKind};

use super::{Model, Phase, Stage, Until};

/// The intervals during which a clock ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretches {
    over: Vec<(u64, u64)>,
    open: Option<u64>,
}

impl Stretches {
    pub(super) fn set(&mut self, running: bool, now: u64) {
        match (running, self.open) {
            (true, None) => self.open = Some(now),
            (false, Some(from)) => {
                self.over.push((from, now));
                self.open = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// When the time limit expires, if the clock runs.
    fn due(&self, limit: Duration) -> Option<u64> {
        let from = self.open?;
        let limit = later(0, limit);
        let used = self.over.iter().fold(0u64, |sum, &(from, to)| {
            sum.saturating_add(to.saturating_sub(from))
        });
        let left = limit.saturating_sub(used);
        Some(from.saturating_add(left).min(END))
    }
}

const END: u64 = Timestamp::MAX.as_micros();

/// A timestamp plus a duration, rounded up to whole microseconds, at most `Timestamp::MAX`.
pub(super) fn later(from: u64, by: Duration) -> u64 {
    let nanos = by.as_nanos();
    let micros = nanos / 1_000 + u128::from(!nanos.is_multiple_of(1_000));
    (u128::from(from) + micros).min(u128::from(END)) as u64
}

impl Model {
    /// Starts and stops every clock according to the states.
    pub(super) fn wind(&mut self) {
        self.wind_at(self.now);
    }

    pub(super) fn wind_at(&mut self, at: u64) {
        let live = self.phase == Phase::Live;
        let run = live
            && !self.is_work_over()
            && self.ending.is_none()
            && self.facts.header.policy.run_timeout.is_some();
        self.clock.set(run, at);
        for task in self.ids() {
            if self.facts.rules(task).task_timeout.is_none() {
                continue;
            }
            let paused = self.paused;
            let life = &mut self.lives[task.index()];
            let counts = matches!(
                life.stage,
                Stage::Queued | Stage::Working(..) | Stage::Resting(..)
            );
            life.clock
                .set(counts && life.attempts > 0 && live && !paused, at);
        }
    }

    /// Every live timer, ordered by time, without back-offs whose end is not known yet.
    #[must_use]
    pub fn timers(&self) -> Vec<(Timestamp, Timer)> {
        let mut all = Vec::new();
        let mut add = |task, kind, at| {
            all.push((Timestamp::from_micros(at), Timer { task, kind }));
        };
        let policy = &self.facts.header.policy;
        for task in self.facts.graph().ids() {
            if let Some((kind, at)) = self.state_timer(task) {
                add(Some(task), kind, at);
            }
            if let Some(limit) = self.facts.rules(task).task_timeout
                && let Some(at) = self.lives[task.index()].clock.due(limit)
            {
                add(Some(task), TimerKind::Task, at);
            }
        }
        if let Some(limit) = policy.run_timeout
            && let Some(at) = self.clock.due(limit)
        {
            add(None, TimerKind::Run, at);
        }
        let working = |stage: Stage| matches!(stage, Stage::Working(..));
        if let Phase::Suspending(since) = self.phase
            && self.lives.iter().any(|life| working(life.stage))
        {
            let at = later(since, policy.suspend_grace);
            add(None, TimerKind::SuspendGrace, at);
        }
        all.sort_unstable();
        all
    }

    fn state_timer(&self, task: TaskId) -> Option<(TimerKind, u64)> {
        match self.lives[task.index()].stage {
            Stage::Working(_, since) => {
                let limit = self.facts.rules(task).attempt_timeout?;
                Some((TimerKind::Attempt, later(since, limit)))
            }
            Stage::Resting(_, Until::Known(at)) => Some((TimerKind::Backoff, at)),
            Stage::Asked(about, since) => {
                let wait = self.patience(task, about)?;
                Some((TimerKind::Question, later(since, wait)))
            }
            Stage::Stopping(_, _, since) => {
                let grace = self.facts.header.policy.cancel_grace;
                Some((TimerKind::Grace, later(since, grace)))
            }
            Stage::Resting(_, Until::Between(..))
            | Stage::Idle
            | Stage::Preparing
            | Stage::Queued
            | Stage::Mapping
            | Stage::FallingBack(..)
            | Stage::Ended(_) => None,
        }
    }

    /// How long a question waits before its default is used; `None` for no limit.
    pub(super) fn patience(&self, task: TaskId, about: AskWhy) -> Option<Duration> {
        let rules = self.facts.rules(task);
        match about {
            AskWhy::Work => match self.facts.work(task) {
                Work::Question(question) => question.fallback.as_ref().map(|(wait, _)| *wait),
                Work::Milestone | Work::Action { .. } => None,
            },
            AskWhy::Approve => rules.approve.as_ref()?.fallback.map(|(wait, _)| wait),
            AskWhy::Failure(Fault::Budget) => None,
            AskWhy::Failure(fault) => match &rules.on_failure {
                OnFailure::Ask(ask) => (ask.fallback)
                    .filter(|(_, answer)| {
                        fault != Fault::Interrupted || *answer != FailureAnswer::Retry
                    })
                    .map(|(wait, _)| wait),
                OnFailure::Abort
                | OnFailure::Skip
                | OnFailure::Value(_)
                | OnFailure::Fallback(_) => None,
            },
        }
    }
}
