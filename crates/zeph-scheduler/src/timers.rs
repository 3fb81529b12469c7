//! Timers: exactly those that the states call for, ordered by time.

use std::collections::{BTreeMap, BTreeSet};

use zeph_graph::{TaskId, Timestamp};

/// What a timer is for. One task has at most one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKind {
    /// The running attempt has taken too long.
    Attempt,
    /// All attempts together have taken too long.
    Task,
    /// The back-off is over.
    Backoff,
    /// Nobody answered in time.
    Question,
    /// The attempt that was told to end has not.
    Grace,
    /// Running work has had its time before a suspension.
    SuspendGrace,
    /// The run has taken too long.
    Run,
}

/// A timer: what it is for, and of which task unless it is the run's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// The task; `None` for a timer of the run.
    pub task: Option<TaskId>,
    /// What it is for.
    pub kind: TimerKind,
}

/// The live timers. A timer that is set again moves; one that is cleared is gone, so the earliest
/// deadline is never spurious.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Timestamp, Timer)>,
    at: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Timestamp) {
        if let Some(old) = self.at.insert(timer, at) {
            self.due.remove(&(old, timer));
        }
        self.due.insert((at, timer));
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        if let Some(old) = self.at.remove(&timer) {
            self.due.remove(&(old, timer));
        }
    }

    pub(crate) fn at(&self, timer: Timer) -> Option<Timestamp> {
        self.at.get(&timer).copied()
    }

    /// The one that comes first. One at the end of time never comes, also when the clock gets there:
    /// what it would set off might be due at once, again and again.
    pub(crate) fn first(&self) -> Option<(Timestamp, Timer)> {
        let first = self.due.first().copied();
        first.filter(|&(at, _)| at < Timestamp::MAX)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Timestamp, Timer)> + '_ {
        self.due.iter().copied()
    }
}

/// A clock that can be stopped: how much of a budget is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    left_us: u64,
    since: Option<Timestamp>,
}

impl Clock {
    pub(crate) fn stopped(limit: std::time::Duration) -> Self {
        let left_us = Timestamp::ZERO.after(limit).as_micros();
        Self {
            left_us,
            since: None,
        }
    }

    /// Lets the clock run or stops it; returns the moment at which it will have run out.
    pub(crate) fn run(&mut self, running: bool, now: Timestamp) -> Option<Timestamp> {
        match (running, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(since)) => {
                let spent = now.as_micros().saturating_sub(since.as_micros());
                self.left_us = self.left_us.saturating_sub(spent);
                self.since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
        let since = self.since?;
        Some(Timestamp::from_micros(
            since.as_micros().saturating_add(self.left_us),
        ))
    }
}

#[cfg(test)]
mod tests;
