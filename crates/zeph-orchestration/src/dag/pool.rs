//! Pool: the threads that bodies run on, made when they are needed.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use zeph_executor::{MAX_VALUE_BYTES, TaskError, check_value_size};

use super::assignment::Assignment;
use super::body::AnyBody;
use super::inbox::{Finish, Inbox, Report};

/// Threads that run bodies. As many as bodies were at work at the same time, those that were given up
/// included; a free one is used again.
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    patience: Duration,
}

pub(crate) struct Job {
    pub(crate) body: AnyBody,
    pub(crate) work: Assignment,
}

struct Shared {
    floor: Mutex<Floor>,
    work: Condvar,
    gone: Condvar,
    inbox: Arc<Inbox>,
}

#[derive(Default)]
struct Floor {
    jobs: VecDeque<Job>,
    idle: usize,
    alive: usize,
    closed: bool,
}

impl Pool {
    /// No thread yet. `patience` is how long dropping the pool waits for bodies that still run.
    pub(crate) fn new(inbox: Arc<Inbox>, patience: Duration) -> Self {
        let shared = Shared {
            floor: Mutex::default(),
            work: Condvar::new(),
            gone: Condvar::new(),
            inbox,
        };
        Self {
            shared: Arc::new(shared),
            threads: Vec::new(),
            patience,
        }
    }

    /// Runs the job on a free thread, or on a new one.
    pub(crate) fn submit(&mut self, job: Job) -> io::Result<()> {
        let mut floor = self.shared.floor();
        if floor.jobs.len() < floor.idle {
            floor.jobs.push_back(job);
            self.shared.work.notify_one();
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let name = format!("zeph-body-{}", self.threads.len() + 1);
        let thread = Builder::new()
            .name(name)
            .spawn(move || work_until_closed(&shared))?;
        floor.alive += 1;
        floor.jobs.push_back(job);
        drop(floor);
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Pool {
    /// Waits for the threads, at most as long as `patience`: a thread cannot be ended by force, so one
    /// whose body blocks is left behind, and its report goes nowhere.
    fn drop(&mut self) {
        let mut floor = self.shared.floor();
        floor.closed = true;
        let unbegun = std::mem::take(&mut floor.jobs);
        self.shared.work.notify_all();
        let waited = (self.shared.gone).wait_timeout_while(floor, self.patience, |f| f.alive > 0);
        let floor = waited.unwrap_or_else(PoisonError::into_inner).0;
        let all_gone = floor.alive == 0;
        drop(floor);
        drop(unbegun);
        for thread in self.threads.drain(..) {
            if all_gone || thread.is_finished() {
                // Its panic, if any, was reported as the failure of its attempt.
                drop(thread.join());
            }
        }
    }
}

impl Shared {
    fn floor(&self) -> MutexGuard<'_, Floor> {
        // Bodies run outside this lock, so a poisoned one holds sound data.
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job> {
        let mut floor = self.floor();
        loop {
            if floor.closed {
                return None;
            }
            if let Some(job) = floor.jobs.pop_front() {
                return Some(job);
            }
            floor.idle += 1;
            floor = (self.work.wait(floor)).unwrap_or_else(PoisonError::into_inner);
            floor.idle -= 1;
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn work_until_closed(shared: &Shared) {
    let _leaving = Leaving(shared);
    while let Some(job) = shared.next() {
        let report = run(&job);
        shared.inbox.post(report);
    }
}

/// Says that the thread is gone, however it went.
struct Leaving<'a>(&'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.floor().alive -= 1;
        self.0.gone.notify_all();
    }
}

fn run(job: &Job) -> Report {
    let work = &job.work;
    let attempt = || {
        if work.is_cancelled() {
            return Err(TaskError::cancelled("cancelled before it began"));
        }
        let value = (job.body)(work)?;
        check_value_size(&value, MAX_VALUE_BYTES)?;
        Ok(value)
    };
    // A body that broke its own state by panicking is called again with it: that is between the body
    // and its owner.
    let finish = match catch_unwind(AssertUnwindSafe(attempt)) {
        Ok(Ok(value)) => Finish::Value(value),
        Ok(Err(error)) => Finish::Error(error),
        Err(payload) => Finish::Panicked(told(payload)),
    };
    Report {
        task: work.task,
        attempt: work.attempt,
        finish,
    }
}

fn told(payload: Box<dyn Any + Send>) -> String {
    let text = if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "no message".to_owned()
    };
    // What was thrown may throw again when it is dropped; then it is kept for ever.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        Box::leak(again);
    }
    text
}
