//! Test doubles: a strict scripted executor, a journal in memory, and gates instead of sleeps.

mod journal;

pub use journal::JournalDouble;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use indexmap::IndexMap;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Attempt, Executor, Parent, TaskContext, TaskError, TaskInput, TaskOutput};

/// A one-shot event: all tasks that wait for the gate continue when a test opens it, in any order.
///
/// Clones share the gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(CancellationToken);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate. A second call is a no-op.
    pub fn open(&self) {
        self.0.cancel();
    }

    /// Resolves when the gate is open.
    pub async fn opened(&self) {
        self.0.cancelled().await;
    }
}

/// The behaviour of one attempt.
#[derive(Clone, Debug)]
pub struct Step {
    gate: Option<Gate>,
    ignores_cancellation: bool,
    end: End,
}

#[derive(Clone, Debug)]
enum End {
    Output(TaskOutput),
    Error(TaskError),
    Panic(String),
}

impl Step {
    /// Completes with an output.
    #[must_use]
    pub fn ok(output: impl Into<TaskOutput>) -> Self {
        Self::ending(End::Output(output.into()))
    }

    /// Fails with an error.
    #[must_use]
    pub fn fail(error: TaskError) -> Self {
        Self::ending(End::Error(error))
    }

    /// Panics with a message.
    #[must_use]
    pub fn panic(message: impl Into<String>) -> Self {
        Self::ending(End::Panic(message.into()))
    }

    /// Waits until the attempt is canceled.
    #[must_use]
    pub fn hang() -> Self {
        Self::ok(TaskOutput::null()).after(&Gate::new())
    }

    /// The same step, but it waits for the gate first.
    ///
    /// While it waits, a cancellation ends it with an error of class `Cancelled`.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// The same step, but it ignores cancellations, like a faulty executor.
    #[must_use]
    pub fn deaf(mut self) -> Self {
        self.ignores_cancellation = true;
        self
    }

    fn ending(end: End) -> Self {
        Self {
            gate: None,
            ignores_cancellation: false,
            end,
        }
    }

    async fn play(self, cx: &TaskContext) -> Result<TaskOutput, TaskError> {
        if let Some(gate) = &self.gate {
            tokio::select! {
                biased;
                () = gate.opened() => {}
                () = cx.cancelled(), if !self.ignores_cancellation => {
                    return Err(TaskError::cancelled("stopped on request"));
                }
            }
        }
        match self.end {
            End::Output(output) => Ok(output),
            End::Error(error) => Err(error),
            End::Panic(message) => std::panic::panic_any(message),
        }
    }
}

/// One call of a [`ScriptedExecutor`].
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The task's name.
    pub task: String,
    /// The number of the attempt.
    pub attempt: Attempt,
    /// The parameters.
    pub params: Value,
    /// The parents.
    pub parents: IndexMap<String, Parent>,
}

/// An executor whose attempts follow a script.
///
/// It records every call, and a test can wait until a task [has started](Self::started). It refuses the
/// calls that a correct driver never makes: a call for a task that has completed, a call during another
/// attempt of the task, an attempt number that is not above the last one, and an attempt that is not in
/// the script. A refusal panics. It is also listed in [`violations`](Self::violations), because a driver
/// catches panics.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_executor::double::{ScriptedExecutor, Step};
/// use zeph_executor::{Attempt, Executor, TaskContext, TaskError, TaskId, TaskInput};
///
/// let script = ScriptedExecutor::new()
///     .on("flaky", [Step::fail(TaskError::retryable("not yet")), Step::ok("done")]);
/// let cx = |attempt| TaskContext::builder("r".parse().unwrap(), TaskId::from_index(0), "flaky", attempt);
/// let first = Attempt::FIRST;
/// assert!(script.execute(&cx(first).build(), TaskInput::default()).await.is_err());
/// assert!(script.execute(&cx(first.next()).build(), TaskInput::default()).await.is_ok());
/// assert_eq!(script.calls().len(), 2);
/// assert!(script.violations().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct ScriptedExecutor {
    scripts: BTreeMap<String, Vec<Step>>,
    otherwise: Option<Step>,
    reruns: bool,
    overlaps: bool,
    seen: Mutex<Seen>,
    started: watch::Sender<BTreeSet<String>>,
}

#[derive(Default)]
struct Seen {
    calls: Vec<Call>,
    violations: Vec<String>,
    /// By idempotency key.
    tasks: BTreeMap<String, Progress>,
}

/// The attempts of one task of one run.
#[derive(Default)]
struct Progress {
    /// The number of steps of the script that were used.
    steps: usize,
    last: Option<Attempt>,
    running: u32,
    completed: bool,
}

impl ScriptedExecutor {
    /// An executor without a script, which refuses every call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the script of the task of that name: one step for each attempt. Each run has the whole script.
    #[must_use]
    pub fn on(mut self, task: impl Into<String>, steps: impl IntoIterator<Item = Step>) -> Self {
        self.scripts
            .insert(task.into(), steps.into_iter().collect());
        self
    }

    /// Sets the step of every attempt of the tasks without a script.
    #[must_use]
    pub fn otherwise(mut self, step: Step) -> Self {
        self.otherwise = Some(step);
        self
    }

    /// Allows a call for a completed task, and an attempt number that is not above the last one: for drivers
    /// that lost records in a crash.
    #[must_use]
    pub fn allow_reruns(mut self) -> Self {
        self.reruns = true;
        self
    }

    /// Allows attempts of a task at the same time: for drivers that abandoned the first one.
    #[must_use]
    pub fn allow_overlaps(mut self) -> Self {
        self.overlaps = true;
        self
    }

    /// The calls so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// The task names of the calls so far, in order.
    #[must_use]
    pub fn called(&self) -> Vec<String> {
        self.lock()
            .calls
            .iter()
            .map(|call| call.task.clone())
            .collect()
    }

    /// The refused calls so far, as messages.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// Resolves once the task of that name has been called, also if the call was refused.
    pub async fn started(&self, task: &str) {
        // `self` owns the sender, so the channel cannot be closed during the wait.
        let mut started = self.started.subscribe();
        started.wait_for(|names| names.contains(task)).await.ok();
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the call and finds its step, or the rule that it violates.
    fn begin(&self, cx: &TaskContext, input: TaskInput) -> Result<Step, String> {
        let (key, attempt) = (cx.idempotency_key(), cx.attempt());
        let mut seen = self.lock();
        let call = Call {
            task: cx.name().to_owned(),
            attempt,
            params: input.params,
            parents: input.parents,
        };
        seen.calls.push(call);
        let task = seen.tasks.entry(key.clone()).or_default();
        let step = if task.completed && !self.reruns {
            Err(format!("{key} was called again after it had completed"))
        } else if task.running > 0 && !self.overlaps {
            Err(format!(
                "{key} was called while an attempt of it was running"
            ))
        } else if let Some(last) = task.last.filter(|&last| attempt <= last && !self.reruns) {
            Err(format!("{key} was called for {attempt:?} after {last:?}"))
        } else {
            let step = self.step(cx.name(), task);
            step.ok_or_else(|| format!("{key} {attempt:?} is not in the script"))
        };
        match &step {
            Ok(_) => {
                task.running += 1;
                task.last = Some(attempt);
            }
            Err(problem) => seen.violations.push(problem.clone()),
        }
        step
    }

    fn step(&self, name: &str, task: &mut Progress) -> Option<Step> {
        let Some(script) = self.scripts.get(name) else {
            return self.otherwise.clone();
        };
        task.steps += 1;
        script.get(task.steps - 1).cloned()
    }
}

impl fmt::Debug for ScriptedExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedExecutor")
            .field("scripts", &self.scripts)
            .field("otherwise", &self.otherwise)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Executor for ScriptedExecutor {
    /// Follows the script.
    ///
    /// # Panics
    /// At a [`Step::panic`], and for refused calls.
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let step = self.begin(cx, input);
        self.started
            .send_if_modified(|names| names.insert(cx.name().to_owned()));
        let step = step.unwrap_or_else(|problem| std::panic::panic_any(problem));
        let running = Running {
            executor: self,
            key: cx.idempotency_key(),
        };
        let result = step.play(cx).await;
        // The driver may discard the output of a canceled attempt, and then the task is not completed.
        if result.is_ok() && !cx.is_cancelled() {
            running.edit(|task| task.completed = true);
        }
        result
    }
}

/// Counts an attempt as running until it ends, is dropped or panics.
struct Running<'a> {
    executor: &'a ScriptedExecutor,
    key: String,
}

impl Running<'_> {
    fn edit(&self, change: impl FnOnce(&mut Progress)) {
        if let Some(task) = self.executor.lock().tasks.get_mut(&self.key) {
            change(task);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.edit(|task| task.running -= 1);
    }
}
