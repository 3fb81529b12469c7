//! Timers: the live timers ordered by time, and clocks that can be stopped.

use std::collections::{BTreeMap, BTreeSet};

use zeph_graph::{TaskId, Timestamp};

/// The kind of a timer. A task has at most one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKind {
    /// The attempt time-out.
    Attempt,
    /// The task time-out, over all attempts.
    Task,
    /// The end of a back-off.
    Backoff,
    /// The default answer of a question.
    Question,
    /// The end of the grace period of an attempt that is being stopped.
    Grace,
    /// The end of the grace period of a suspension.
    SuspendGrace,
    /// The run time-out.
    Run,
}

/// A timer of a task or of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// The task; `None` for a timer of the run.
    pub task: Option<TaskId>,
    /// The kind.
    pub kind: TimerKind,
}

/// The live timers. Setting a timer again moves it, and clearing removes it, so the earliest deadline is
/// never spurious.
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

    /// The earliest timer. A timer at `Timestamp::MAX` never fires: what follows it could be due at once,
    /// again and again.
    pub(crate) fn first(&self) -> Option<(Timestamp, Timer)> {
        let first = self.due.first().copied();
        first.filter(|&(at, _)| at < Timestamp::MAX)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Timestamp, Timer)> + '_ {
        self.due.iter().copied()
    }
}

/// A clock that can be stopped: the rest of a time limit.
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

    /// Starts or stops the clock. Returns when the limit is reached, if it runs.
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
