//! Inbox: the queue of reports from other threads, which `tick` waits for.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use zeph_executor::TaskError;
use zeph_graph::{Attempt, TaskId};
use zeph_runtime::driver::Failure;

/// A limit for platforms whose clocks overflow. Waking once a year is not polling.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// What another thread reports.
#[derive(Debug)]
pub(crate) enum Report {
    Attempt(AttemptReport),
    Condition(ConditionReport),
}

/// The value of a condition.
#[derive(Debug)]
pub(crate) struct ConditionReport {
    pub(crate) task: TaskId,
    pub(crate) result: Result<bool, Failure>,
}

/// The end of an attempt.
#[derive(Debug)]
pub(crate) struct AttemptReport {
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
    pub(crate) result: Result<Value, Failure>,
}

impl AttemptReport {
    pub(crate) fn new(task: TaskId, attempt: Attempt, result: Result<Value, TaskError>) -> Self {
        Self {
            task,
            attempt,
            result: result.map_err(Failure::from),
        }
    }
}

impl From<AttemptReport> for Report {
    fn from(report: AttemptReport) -> Self {
        Self::Attempt(report)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    reports: VecDeque<Report>,
    /// The number of [`Reporter`](super::Reporter)s that are alive.
    reporters: usize,
}

impl Inbox {
    pub(crate) fn post(&self, report: impl Into<Report>) {
        self.queue().reports.push_back(report.into());
        self.arrived.notify_all();
    }

    pub(crate) fn take(&self) -> VecDeque<Report> {
        std::mem::take(&mut self.queue().reports)
    }

    pub(crate) fn reporters(&self) -> usize {
        self.queue().reporters
    }

    pub(crate) fn add_reporter(&self) {
        self.queue().reporters += 1;
    }

    /// Also wakes a `tick` that waits, which may have been waiting for this reporter.
    pub(crate) fn remove_reporter(&self) {
        self.queue().reporters -= 1;
        self.arrived.notify_all();
    }

    /// Waits for a report, at most that long; with `for_reporters`, also until no reporter is left.
    /// May return early: the caller checks again.
    pub(crate) fn wait(&self, for_reporters: bool, at_most: Option<Duration>) {
        let queue = self.queue();
        if !queue.reports.is_empty() || (for_reporters && queue.reporters == 0) {
            return;
        }
        let at_most = at_most.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        drop(self.arrived.wait_timeout(queue, at_most));
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No foreign code runs under this lock, so a poisoned one holds consistent data.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
