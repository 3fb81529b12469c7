//! The context of an attempt: its identity, its cancellation, and its reports to the driver.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zeph_graph::{Attempt, RunEnd, RunId, TaskId};

use crate::{Journal, LogStream, Logs, NoJournal, NoProgress, Progress, Purpose, Stop};

/// The attempt that an executor runs: its identity, its cancellation, and where it reports.
///
/// Clones are the same attempt and cost one reference count, so a context can be moved into tasks.
///
/// # Examples
/// ```
/// use zeph_executor::{Attempt, LogStream, Stop, TaskContext, TaskId};
/// let stop = Stop::new();
/// let cx = TaskContext::builder("r1".parse()?, TaskId::from_index(0), "fetch", Attempt::FIRST)
///     .stop(&stop)
///     .build();
/// assert_eq!(cx.idempotency_key(), "r1/fetch");
/// stop.cancel();
/// assert!(cx.is_cancelled());
/// # Ok::<(), zeph_graph::BadRunId>(())
/// ```
#[derive(Clone)]
pub struct TaskContext(Arc<Inner>);

struct Inner {
    run: RunId,
    task: TaskId,
    name: Box<str>,
    attempt: Attempt,
    stop: Stop,
    grace: Duration,
    logs: Logs,
    progress: Arc<dyn Progress>,
    journal: Arc<dyn Journal>,
    outcome: Option<RunEnd>,
    approved_tools: BTreeSet<String>,
    inherited: Vec<Arc<File>>,
    purpose: Purpose,
}

impl TaskContext {
    /// Starts to build a context. The driver does this for each attempt; tests do it themselves.
    ///
    /// Defaults: the attempt is never canceled, the grace period is 5 s, logs have the default size,
    /// progress is ignored, and there is [no journal](NoJournal).
    pub fn builder(
        run: RunId,
        task: TaskId,
        name: impl Into<Box<str>>,
        attempt: Attempt,
    ) -> TaskContextBuilder {
        TaskContextBuilder(Inner {
            run,
            task,
            name: name.into(),
            attempt,
            stop: Stop::new(),
            grace: Duration::from_secs(5),
            logs: Logs::default(),
            progress: Arc::new(NoProgress),
            journal: Arc::new(NoJournal),
            outcome: None,
            approved_tools: BTreeSet::new(),
            inherited: Vec::new(),
            purpose: Purpose::default(),
        })
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.0.run
    }

    /// The task's place in its graph.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.0.task
    }

    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The number of this attempt.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        self.0.attempt
    }

    /// `run/task-name`: the same for all attempts of a task, different for any two tasks of any runs.
    ///
    /// For services that ignore a request with a known key. A run's name has no slash, so the first one
    /// separates the two parts.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}", self.0.run, self.0.name)
    }

    /// Resolves when the attempt is canceled or killed. Cancel-safe.
    pub async fn cancelled(&self) {
        self.cancel_token().cancelled().await;
    }

    /// Whether the attempt is canceled or killed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel_token().is_cancelled()
    }

    /// The cancellation as a token. A kill cancels it too.
    #[must_use]
    pub fn cancel_token(&self) -> &CancellationToken {
        self.0.stop.cancel_token()
    }

    /// The token of a kill: stop at once, without cleaning up.
    #[must_use]
    pub fn kill_token(&self) -> &CancellationToken {
        self.0.stop.kill_token()
    }

    /// How long the attempt may take to stop after [`cancelled`](Self::cancelled) resolved.
    ///
    /// When it has passed, the driver abandons the attempt.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.0.grace
    }

    /// The run's journal: budget, notes, proposals.
    #[must_use]
    pub fn journal(&self) -> &dyn Journal {
        &*self.0.journal
    }

    /// In a finalizer: how the run went so far, which is how it ends if the finalizers succeed.
    #[must_use]
    pub fn outcome(&self) -> Option<RunEnd> {
        self.0.outcome
    }

    /// Whether the approval of the task, which was given before its first attempt, names this tool. The items of a
    /// task have the approval of that task.
    ///
    /// An agent calls a tool that needs an approval only then.
    #[must_use]
    pub fn is_approved(&self, tool: &str) -> bool {
        self.0.approved_tools.contains(tool)
    }

    /// Open files that a process of the attempt should inherit: locks which then count for it until it ends, also if
    /// the process of the driver is killed. Most attempts have none.
    ///
    /// The driver releases the locks itself when the attempt ends, so a process that outlives its attempt holds none.
    #[must_use]
    pub fn inherited(&self) -> &[Arc<File>] {
        &self.0.inherited
    }

    /// What the task is for: the goal of the run, and the tasks that depend on this one.
    #[must_use]
    pub fn purpose(&self) -> &Purpose {
        &self.0.purpose
    }

    /// Reports that the attempt is alive, as output and progress do: its idle time-out begins anew.
    ///
    /// An executor that can be silent for a long time should call it about every 30 s.
    pub fn heartbeat(&self) {
        self.0.progress.heartbeat();
    }

    /// Reports progress. Observers see it; it is not saved.
    pub fn progress(&self, text: impl AsRef<str>) {
        self.0.progress.progress(text.as_ref());
    }

    /// Appends to the attempt's logs, which keep head and tail. Observers see it.
    pub fn log(&self, stream: LogStream, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.0.logs.write(stream, bytes);
        self.0.progress.log(stream, bytes);
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, task, attempt) = (self.idempotency_key(), self.task(), self.attempt());
        write!(f, "TaskContext({key} {task:?} {attempt:?})")
    }
}

/// Collects what a [`TaskContext`] needs.
#[must_use]
pub struct TaskContextBuilder(Inner);

impl TaskContextBuilder {
    /// Sets the cancellation of the attempt. Default: never canceled.
    pub fn stop(mut self, stop: &Stop) -> Self {
        self.0.stop = stop.clone();
        self
    }

    /// Sets the grace period. Default: 5 s. With zero a cancellation is followed by a kill at once.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.0.grace = grace;
        self
    }

    /// Sets the logs. The caller takes them through a clone of its own.
    pub fn logs(mut self, logs: &Logs) -> Self {
        self.0.logs = logs.clone();
        self
    }

    /// Sets the receiver of progress, logs and heartbeats. Default: none.
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.0.progress = progress;
        self
    }

    /// Sets the journal. Default: [`NoJournal`].
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.0.journal = journal;
        self
    }

    /// Sets how the run went so far, for a finalizer. Default: none.
    pub fn outcome(mut self, outcome: Option<RunEnd>) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Sets the purpose of the task. Default: unknown.
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.0.purpose = purpose;
        self
    }

    /// Sets the tools that the approval of the task names. Default: none.
    pub fn approved_tools(mut self, tools: BTreeSet<String>) -> Self {
        self.0.approved_tools = tools;
        self
    }

    /// Sets the files that a process of the attempt should inherit. Default: none.
    pub fn inherited(mut self, files: Vec<Arc<File>>) -> Self {
        self.0.inherited = files;
        self
    }

    /// The context.
    #[must_use]
    pub fn build(self) -> TaskContext {
        TaskContext(Arc::new(self.0))
    }
}

impl fmt::Debug for TaskContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskContextBuilder({}/{})", self.0.run, self.0.name)
    }
}

#[cfg(test)]
mod tests {
    use super::TaskContext;
    use crate::{Attempt, LogStream, Logs, Progress, TaskId};
    use std::sync::{Arc, Mutex};

    #[derive(Default)]
    struct Watcher(Mutex<Vec<String>>);

    impl Watcher {
        fn note(&self, text: String) {
            self.0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(text);
        }
    }

    impl Progress for Watcher {
        fn progress(&self, text: &str) {
            self.note(format!("progress {text}"));
        }
        fn log(&self, stream: LogStream, bytes: &[u8]) {
            self.note(format!("{} {}", stream.name(), bytes.len()));
        }
        fn heartbeat(&self) {
            self.note("alive".to_owned());
        }
    }

    #[test]
    fn reports_reach_logs_and_watcher() -> Result<(), Box<dyn std::error::Error>> {
        let (logs, watcher) = (Logs::default(), Arc::new(Watcher::default()));
        let cx = TaskContext::builder("r".parse()?, TaskId::from_index(4), "a/b", Attempt::FIRST)
            .logs(&logs)
            .progress(Arc::clone(&watcher) as Arc<dyn Progress>)
            .build();
        cx.heartbeat();
        cx.progress("half");
        cx.log(LogStream::Stderr, "oh");
        assert_eq!(logs.take(), [(LogStream::Stderr, "oh".into())]);
        let seen = watcher
            .0
            .lock()
            .map(|seen| seen.clone())
            .unwrap_or_default();
        assert_eq!(seen, ["alive", "progress half", "stderr 2"]);
        assert_eq!(format!("{cx:?}"), "TaskContext(r/a/b t4 #1)");
        Ok(())
    }
}
