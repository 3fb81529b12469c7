//! Pool: the threads that run bodies.

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use zeph_executor::TaskError;
use zeph_runtime::driver::Failure;

use super::attempt::AttemptContext;
use super::inbox::{Inbox, Report};

/// Threads that run bodies. A free thread is reused; without a free one a new thread is started.
#[derive(Debug)]
pub(crate) struct Pool {
    /// `None` once the pool is being dropped, which ends the threads.
    jobs: Option<Sender<Job>>,
    shared: Arc<Shared>,
    /// Disconnected when the last thread has ended.
    alive: (Option<Sender<Infallible>>, Mutex<Receiver<Infallible>>),
    grace: Duration,
}

/// The call of a closure, with its report.
pub(crate) type Job = Box<dyn FnOnce() -> Report + Send>;

struct Shared {
    queue: Mutex<Receiver<Job>>,
    /// Threads that have no job, minus the jobs in the queue.
    free: AtomicUsize,
    inbox: Arc<Inbox>,
}

impl Pool {
    /// A pool without threads. Dropping it waits at most `grace` for bodies that still run.
    pub(crate) fn new(inbox: Arc<Inbox>, grace: Duration) -> Self {
        let (jobs, queue) = channel();
        let (alive, ended) = channel();
        let shared = Shared {
            queue: Mutex::new(queue),
            free: AtomicUsize::new(0),
            inbox,
        };
        Self {
            jobs: Some(jobs),
            shared: Arc::new(shared),
            alive: (Some(alive), Mutex::new(ended)),
            grace,
        }
    }

    /// Runs the job on a free thread, or on a new one.
    pub(crate) fn submit(&mut self, job: Job) -> io::Result<()> {
        let (free, jobs) = (&self.shared.free, self.jobs.as_ref());
        let claim = free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
        if let (Ok(_), Some(jobs)) = (claim, jobs) {
            return jobs.send(job).map_err(|_| io::ErrorKind::BrokenPipe.into());
        }
        let (shared, alive) = (Arc::clone(&self.shared), self.alive.0.clone());
        let thread = Builder::new().name("zeph-body".to_owned()).spawn(move || {
            let _alive = alive;
            shared.work(job);
        });
        thread.map(drop)
    }
}

impl Drop for Pool {
    /// Waits for running bodies, at most for the grace period. A thread cannot be killed: one whose body
    /// blocks longer continues, and its report is ignored.
    fn drop(&mut self) {
        self.jobs = None;
        self.alive.0 = None;
        let ended = self.alive.1.get_mut();
        let ended = ended.unwrap_or_else(PoisonError::into_inner);
        // Returns early when the last thread ends. The result is always an error.
        let _ = ended.recv_timeout(self.grace);
    }
}

impl Shared {
    fn work(&self, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            let report = job();
            self.free.fetch_add(1, Ordering::AcqRel);
            self.inbox.post(report);
            // Bodies run outside this lock, so a poisoned one holds consistent data.
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            next = queue.recv().ok();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Calls a closure of the caller, unless its attempt is canceled. One that panics is called again for the next
/// attempt, with whatever state it left.
pub(crate) fn call<T>(
    context: &AttemptContext,
    closure: impl FnOnce(&AttemptContext) -> Result<T, TaskError>,
) -> Result<T, Failure> {
    let attempt = || {
        if context.is_cancelled() {
            return Err(TaskError::cancelled("canceled before it started"));
        }
        closure(context)
    };
    match catch_unwind(AssertUnwindSafe(attempt)) {
        Ok(result) => result.map_err(Failure::from),
        Err(payload) => Err(Failure::panicked(payload)),
    }
}
