//! External: the caller runs the attempts and reports, from this thread or from others.

use std::fmt::{self, Display};
use std::sync::Arc;

use serde_json::Value;
use zeph_graph::{Attempt, TaskGraph, TaskId, Work};
use zeph_scheduler::InputOutcome;

use super::DagScheduler;
use super::attempt::AttemptContext;
use super::body::error_of;
use super::inbox::{AttemptReport, Inbox};

impl DagScheduler {
    /// A run whose attempts the caller runs: [`started`](Self::started) returns them, and
    /// [`complete`](Self::complete) or [`fail`](Self::fail) reports the end of each.
    ///
    /// Every milestone becomes an action named like its task, so that it is returned too.
    ///
    /// **Waiting.** While a [`Reporter`] is alive, [`tick`](Self::tick) waits for its reports as it
    /// does for bodies. Without one only the caller can report, so `tick` does not wait while attempts
    /// are in flight: it returns `true`, and [`is_idle`](Self::is_idle) is `true` if it recorded no
    /// decision. A loop that reports what `started` returns never sees that; a loop that reports later
    /// must do something else when it is idle, or it spins.
    ///
    /// Report a canceled attempt ([`AttemptContext::is_cancelled`]) too, in either way. An attempt
    /// that is canceled before `started` returns it is never returned.
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
    pub fn started(&mut self) -> impl ExactSizeIterator<Item = AttemptContext> + use<> {
        std::mem::take(&mut self.started).into_iter()
    }

    /// Reports the result of an attempt. `null` is no value; a value above 1 MiB fails the attempt.
    ///
    /// [`InputOutcome::Stale`] if that attempt is not in flight: the report changes nothing.
    pub fn complete(&mut self, task: TaskId, attempt: Attempt, value: Value) -> InputOutcome {
        self.report(AttemptReport::new(task, attempt, Ok(value)))
    }

    /// Reports the failure of an attempt. Any error that can be printed counts as retryable; a
    /// [`TaskError`](zeph_executor::TaskError) has its own class.
    ///
    /// [`InputOutcome::Stale`] if that attempt is not in flight: the report changes nothing.
    pub fn fail<E>(&mut self, task: TaskId, attempt: Attempt, error: E) -> InputOutcome
    where
        E: Display + 'static,
    {
        self.report(AttemptReport::new(task, attempt, Err(error_of(error))))
    }

    fn report(&mut self, report: AttemptReport) -> InputOutcome {
        let now = self.clock.now();
        self.receive(now, report)
    }

    /// A handle that reports from another thread. While one is alive, [`tick`](Self::tick) waits for
    /// reports; drop the last one when no more reports will come from other threads.
    #[must_use = "a reporter that is dropped at once reports nothing"]
    pub fn reporter(&self) -> Reporter {
        self.inbox.add_reporter();
        Reporter {
            inbox: Arc::clone(&self.inbox),
        }
    }

    /// Whether the last [`tick`](Self::tick) recorded no decision, since only the caller can report.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.idle
    }
}

/// Reports the ends of attempts from other threads. A clone is one more handle.
///
/// A report takes effect with the next tick; a stale one changes nothing.
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
        self.inbox
            .post(AttemptReport::new(task, attempt, Ok(value)));
    }

    /// As [`DagScheduler::fail`].
    pub fn fail<E: Display + 'static>(&self, task: TaskId, attempt: Attempt, error: E) {
        let report = AttemptReport::new(task, attempt, Err(error_of(error)));
        self.inbox.post(report);
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
