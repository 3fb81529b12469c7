//! The conformance suite for executors: every case from one call.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
pub use zeph_common::{Violation, Violations};

use crate::{
    Attempt, ErrorClass, Executor, RunId, Stop, TaskContext, TaskError, TaskId, TaskInput,
    TaskOutput,
};

/// The grace of an attempt that is killed: one that waits for it fails.
const KILL_GRACE: Duration = Duration::from_hours(1);
/// How long a short attempt may take.
const SHORT_TIMEOUT: Duration = Duration::from_secs(30);

/// The inputs for an executor under test.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Input for an attempt that completes by itself, well within 30 s.
    pub short: TaskInput,
    /// Input for an attempt that waits until it is stopped; `None` for executors that never wait.
    pub long: Option<TaskInput>,
    /// The time within which the executor promises to stop.
    pub grace: Duration,
}

/// Runs every case on one executor; needs a tokio runtime with its timer.
///
/// # Errors
/// All rules that the executor breaks, with what happened.
///
/// # Panics
/// Panics where the executor panics.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_executor::{TaskError, TaskInput, closure, conformance};
/// let wait = closure::action(|wait: bool| async move {
///     if wait { std::future::pending::<()>().await; }
///     Ok::<_, TaskError>("done")
/// });
/// let sample = conformance::Sample {
///     short: TaskInput::new(false),
///     long: Some(TaskInput::new(true)),
///     grace: std::time::Duration::from_secs(1),
/// };
/// conformance::check(wait, sample).await?;
/// # Ok(())
/// # }
/// ```
pub async fn check(executor: Arc<dyn Executor>, sample: Sample) -> Result<(), Violations> {
    let grace = sample.grace;
    let harness = Harness { executor, sample };
    Violations::check([
        ("completes within the limit", harness.completes().await),
        ("two attempts at a time", harness.two_at_a_time().await),
        (
            "an attempt after a dropped one",
            harness.after_a_drop().await,
        ),
        (
            "a cancel before the start",
            harness.stops(When::Before, Stop::cancel, grace).await,
        ),
        (
            "a cancel while it runs",
            harness.stops(When::Running, Stop::cancel, grace).await,
        ),
        (
            "a kill while it runs",
            harness.stops(When::Running, Stop::kill, KILL_GRACE).await,
        ),
    ])
}

struct Harness {
    executor: Arc<dyn Executor>,
    sample: Sample,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    Running,
}

type Outcome = Result<TaskOutput, TaskError>;

impl Harness {
    async fn completes(&self) -> Result<(), String> {
        let cx = self.context("completes", &Stop::new(), self.sample.grace)?;
        let work = self.executor.execute(&cx, self.sample.short.clone());
        let output = in_time(SHORT_TIMEOUT, work)
            .await?
            .map_err(|error| format!("it failed: {error:#}"))?;
        output.check().map_err(|error| error.to_string())
    }

    async fn two_at_a_time(&self) -> Result<(), String> {
        let (one, two) = tokio::join!(self.completes(), self.completes());
        one.and(two)
    }

    async fn after_a_drop(&self) -> Result<(), String> {
        if let Some(long) = self.sample.long.clone() {
            let cx = self.context("dropped", &Stop::new(), self.sample.grace)?;
            let work = self.executor.execute(&cx, long);
            if timeout(Duration::ZERO, work).await.is_ok() {
                return Err("the long input ended at once".to_owned());
            }
        }
        self.completes().await
    }

    /// A stopped attempt ends in time, with the class `Cancelled` or `Interrupted` unless its work was done.
    async fn stops(&self, when: When, order: fn(&Stop), grace: Duration) -> Result<(), String> {
        let Some(long) = self.sample.long.clone() else {
            return Ok(());
        };
        let stop = Stop::new();
        let cx = self.context("stopped", &stop, grace)?;
        if when == When::Before {
            order(&stop);
        }
        let mut work = pin!(self.executor.execute(&cx, long));
        let outcome = match timeout(Duration::ZERO, &mut work).await {
            Ok(_) if when == When::Running => {
                return Err("the long input ended at once".to_owned());
            }
            Ok(outcome) => outcome,
            Err(_) => {
                order(&stop);
                in_time(self.sample.grace, work).await?
            }
        };
        match outcome.map_err(|error| error.class()) {
            Ok(_) | Err(ErrorClass::Cancelled | ErrorClass::Interrupted) => Ok(()),
            Err(class) => Err(format!(
                "it ended with an error of class {class:?}, not Cancelled or Interrupted"
            )),
        }
    }

    fn context(&self, name: &str, stop: &Stop, grace: Duration) -> Result<TaskContext, String> {
        let run: RunId = "conformance"
            .parse()
            .map_err(|error: zeph_graph::BadRunId| error.to_string())?;
        let task = TaskId::from_index(0);
        Ok(TaskContext::builder(run, task, name, Attempt::FIRST)
            .stop(stop)
            .grace(grace)
            .build())
    }
}

async fn in_time(limit: Duration, work: impl Future<Output = Outcome>) -> Result<Outcome, String> {
    timeout(limit, work)
        .await
        .map_err(|_| format!("it did not end within {limit:?}"))
}
