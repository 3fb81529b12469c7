//! Inbox: where attempts report, and where the crank waits for them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use zeph_executor::TaskError;
use zeph_graph::{Attempt, TaskId};

/// Some clocks cannot count further; waking once a year is no polling.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// What became of an attempt.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
    pub(crate) finish: Finish,
}

#[derive(Debug)]
pub(crate) enum Finish {
    Value(Value),
    Error(TaskError),
    Panicked(String),
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    desk: Mutex<Desk>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    reports: VecDeque<Report>,
    // Handles through which other threads can report.
    reporters: usize,
}

impl Inbox {
    pub(crate) fn post(&self, report: Report) {
        self.desk().reports.push_back(report);
        self.bell.notify_all();
    }

    pub(crate) fn take(&self) -> VecDeque<Report> {
        std::mem::take(&mut self.desk().reports)
    }

    pub(crate) fn reporters(&self) -> usize {
        self.desk().reporters
    }

    pub(crate) fn add_reporter(&self) {
        self.desk().reporters += 1;
    }

    /// The crank may be waiting for a reporter that is the last one and goes without a word.
    pub(crate) fn remove_reporter(&self) {
        self.desk().reporters -= 1;
        self.bell.notify_all();
    }

    /// Waits for a report, or until `at_most` is over; with `of_reporters`, also until none is left.
    /// May return early: whoever waits looks again.
    pub(crate) fn wait(&self, of_reporters: bool, at_most: Option<Duration>) {
        let desk = self.desk();
        if !desk.reports.is_empty() || (of_reporters && desk.reporters == 0) {
            return;
        }
        match at_most {
            Some(at_most) => {
                let at_most = at_most.min(LONGEST_WAIT);
                drop(self.bell.wait_timeout(desk, at_most));
            }
            None => drop(self.bell.wait(desk)),
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // No code of others runs under this lock, so a poisoned one holds sound data.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
