//! External: the caller does the work and reports, from this thread or from others.

use std::fmt::{self, Display};
use std::sync::Arc;

use serde_json::Value;
use zeph_graph::{Attempt, TaskGraph, TaskId, Work};
use zeph_scheduler::InputOutcome;

use super::DagScheduler;
use super::assignment::Assignment;
use super::body::error_of;
use super::inbox::{Finish, Inbox, Report};

impl DagScheduler {
    /// A run whose work is done by the caller: [`started`](Self::started) hands out the attempts, and
    /// [`complete`](Self::complete) or [`fail`](Self::fail) answers each.
    ///
    /// Every milestone becomes an action named like its task, so that it is handed out too.
    ///
    /// **Who waits.** While a [`Reporter`] is alive, [`tick`](Self::tick) waits for its reports as it
    /// would for bodies. Without one nobody but the caller can report, so `tick` never waits while
    /// attempts are out: it returns `true`, and [`is_idle`](Self::is_idle) says that the turn moved
    /// nothing. A loop that answers what `started` gives never sees that; a loop that answers later
    /// must do something else when it is idle, or it spins.
    ///
    /// A cancelled attempt says so by [`Assignment::is_cancelled`]; answer it too, in either way. One
    /// that was not handed out yet is taken back.
    ///
    /// # Examples
    /// ```
    /// use zeph_orchestration::{DagScheduler, TaskGraph};
    /// let mut graph = TaskGraph::new();
    /// let fetch = graph.add_task("fetch", []);
    /// let count = graph.add_task("count", [fetch]);
    /// let mut scheduler = DagScheduler::external(graph);
    /// while scheduler.tick() {
    ///     for work in scheduler.started() {
    ///         let words = work.input("fetch").and_then(|v| v.as_str()).unwrap_or_default();
    ///         let value = match work.name() {
    ///             "fetch" => "three little words".into(),
    ///             _ => words.split(' ').count().into(),
    ///         };
    ///         scheduler.complete(work.task(), work.attempt(), value);
    ///     }
    /// }
    /// assert_eq!(scheduler.output(count), Some(&3.into()));
    /// ```
    #[must_use]
    pub fn external(mut graph: TaskGraph) -> Self {
        for id in graph.ids() {
            if *graph.task(id).work() == Work::Milestone {
                let name = graph.task(id).shared_name();
                let params = zeph_graph::Params::none();
                graph.set_work(id, Work::Action { name, params });
            }
        }
        let mut scheduler = Self::new(graph);
        scheduler.external = true;
        scheduler
    }

    /// The attempts that have started since the last call, oldest first. Empty unless the scheduler is
    /// [`external`](Self::external).
    pub fn started(&mut self) -> impl ExactSizeIterator<Item = Assignment> + use<> {
        std::mem::take(&mut self.started).into_iter()
    }

    /// The attempt has a result; `null` is no value, and one above 1 MiB makes the attempt fail.
    ///
    /// [`InputOutcome::Stale`] if that attempt is not in flight (any more): it changed nothing.
    pub fn complete(&mut self, task: TaskId, attempt: Attempt, value: Value) -> InputOutcome {
        self.report(task, attempt, Finish::Value(value))
    }

    /// The attempt failed. The error may be anything that can be printed and counts as retryable; a
    /// [`TaskError`](zeph_executor::TaskError) says itself whether it is.
    ///
    /// [`InputOutcome::Stale`] if that attempt is not in flight (any more): it changed nothing.
    pub fn fail<E>(&mut self, task: TaskId, attempt: Attempt, error: E) -> InputOutcome
    where
        E: Display + 'static,
    {
        self.report(task, attempt, Finish::Error(error_of(error)))
    }

    fn report(&mut self, task: TaskId, attempt: Attempt, finish: Finish) -> InputOutcome {
        let now = self.clock.now();
        let report = Report {
            task,
            attempt,
            finish,
        };
        self.receive(now, report)
    }

    /// A handle to report with from another thread. While one is alive, [`tick`](Self::tick) waits for
    /// reports; drop the last one when nobody else will report.
    #[must_use = "a reporter that is dropped at once reports nothing"]
    pub fn reporter(&self) -> Reporter {
        self.inbox.add_reporter();
        Reporter {
            inbox: Arc::clone(&self.inbox),
        }
    }

    /// Whether the last [`tick`](Self::tick) moved nothing and left it to the caller to report.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.idle
    }
}

/// Reports the ends of attempts from other threads. A clone is one more handle.
///
/// What it reports counts with the next tick; what is stale changes nothing.
///
/// # Examples
/// ```
/// use std::thread;
/// use zeph_orchestration::{DagScheduler, TaskGraph};
/// let mut graph = TaskGraph::new();
/// let add = graph.add_task("add", []);
/// let mut scheduler = DagScheduler::external(graph);
/// let mut reporter = Some(scheduler.reporter());
/// while scheduler.tick() {
///     for work in scheduler.started() {
///         let reporter = reporter.take();
///         thread::spawn(move || reporter.map(|r| r.complete(work.task(), work.attempt(), 3.into())));
///     }
/// }
/// assert_eq!(scheduler.output(add), Some(&3.into()));
/// ```
pub struct Reporter {
    inbox: Arc<Inbox>,
}

impl Reporter {
    /// As [`DagScheduler::complete`].
    pub fn complete(&self, task: TaskId, attempt: Attempt, value: Value) {
        self.post(task, attempt, Finish::Value(value));
    }

    /// As [`DagScheduler::fail`].
    pub fn fail<E: Display + 'static>(&self, task: TaskId, attempt: Attempt, error: E) {
        self.post(task, attempt, Finish::Error(error_of(error)));
    }

    fn post(&self, task: TaskId, attempt: Attempt, finish: Finish) {
        self.inbox.post(Report {
            task,
            attempt,
            finish,
        });
    }
}

impl Clone for Reporter {
    fn clone(&self) -> Self {
        self.inbox.add_reporter();
        Self {
            inbox: Arc::clone(&self.inbox),
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.inbox.remove_reporter();
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").finish_non_exhaustive()
    }
}
