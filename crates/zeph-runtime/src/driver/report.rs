//! Reports: the end of an attempt, and the input for the scheduler.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use zeph_executor::TaskError;
use zeph_graph::{Attempt, ContentId, Fault, SuppliedWhy, TaskId, Timestamp};
use zeph_scheduler::{Input, InputOutcome, Prepared, Scheduler};

use super::Contents;

/// The end of an attempt, with contents of the driver's own form.
#[derive(Debug)]
pub struct Report<T> {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: Attempt,
    /// How it ended.
    pub result: ReportResult<T>,
    /// Its log.
    pub log: Option<T>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum ReportResult<T> {
    /// With a result; `None` is the null value, which is not stored.
    Completed(Option<T>),
    /// With the list of items; see [`count_items`](super::count_items). Its log is not kept.
    Listed {
        /// The list.
        list: T,
        /// The number of items.
        count: u32,
    },
    /// Without a result.
    Failed {
        /// How it failed.
        fault: Fault,
        /// The error of the executor.
        error: T,
        /// The shortest wait before the next attempt.
        retry_after: Option<Duration>,
    },
    /// The attempt ended without a report. Costs no retry; its logs are lost.
    Lost,
}

/// Why an attempt failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How it failed, as the journal records it.
    pub fault: Fault,
    /// The error of the executor.
    pub error: TaskError,
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        Self {
            fault: error.class().fault(),
            error,
        }
    }
}

impl Failure {
    /// The failure of an attempt whose code panicked. Its code is `panicked`, and it can be retried.
    #[must_use]
    pub fn panicked(payload: Box<dyn Any + Send>) -> Self {
        let text = match payload.downcast_ref::<&str>() {
            Some(text) => Some((*text).to_owned()),
            None => payload.downcast_ref::<String>().cloned(),
        };
        // A payload can panic again when it is dropped. The second payload is leaked, so that it cannot.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Box::leak(again);
        }
        let text = text.as_deref().unwrap_or("no message");
        let error = TaskError::retryable(format!("the executor panicked: {text}"));
        Self {
            fault: Fault::Panicked,
            error: error.with_code("panicked"),
        }
    }
}

/// Passes the end of an attempt to the scheduler.
///
/// Returns the scheduler's outcome and the number of the result or list. A stale report (its attempt was
/// abandoned, or has reported before) changes nothing, and its contents are forgotten.
pub fn deliver<T>(
    scheduler: &mut Scheduler,
    contents: &mut Contents<T>,
    now: Timestamp,
    report: Report<T>,
) -> (InputOutcome, Option<ContentId>) {
    let Report {
        task,
        attempt,
        result,
        log,
    } = report;
    // The record of a list has no place for a log.
    let has_log = !matches!(result, ReportResult::Listed { .. });
    let log = log.filter(|_| has_log).map(|log| contents.intern(log));
    let (input, content) = match result {
        ReportResult::Completed(value) => {
            let output = value.map(|value| contents.intern(value));
            let input = Input::Completed {
                task,
                attempt,
                output,
                log,
            };
            (input, output)
        }
        ReportResult::Listed { list, count } => {
            let list = contents.intern(list);
            let input = Input::Expanded {
                task,
                attempt,
                list,
                count,
            };
            (input, Some(list))
        }
        ReportResult::Failed {
            fault,
            error,
            retry_after,
        } => {
            let error = Some(contents.intern(error));
            let input = Input::Failed {
                task,
                attempt,
                fault,
                error,
                log,
                retry_after,
            };
            (input, error)
        }
        ReportResult::Lost => (Input::Lost { task, attempt }, None),
    };
    let outcome = scheduler.handle(now, input);
    if outcome != InputOutcome::Accepted {
        for id in content.into_iter().chain(log) {
            contents.forget(id);
        }
    }
    let is_failure = matches!(input, Input::Failed { .. });
    (outcome, content.filter(|_| !is_failure))
}

/// What a preparation found, with contents of the driver's own form.
#[derive(Debug)]
pub enum PrepareReport<T> {
    /// The task runs.
    Run,
    /// The task does not run, because it has this result.
    Supply {
        /// The result; `None` is the null value.
        output: Option<T>,
        /// Why it counts.
        why: SuppliedWhy,
        /// The name of the run that made it, if it is not the one that this run retries.
        from: Option<T>,
    },
    /// The preparation returned this error.
    Failed {
        /// Whether the error is [`TaskError::skip`].
        is_skip: bool,
        /// The error.
        error: T,
    },
}

/// Passes the end of a preparation to the scheduler, and returns its outcome. Stale, with no effect, if the task
/// is not being prepared any more.
pub fn deliver_prepared<T>(
    scheduler: &mut Scheduler,
    contents: &mut Contents<T>,
    now: Timestamp,
    task: TaskId,
    report: PrepareReport<T>,
) -> InputOutcome {
    let (then, content, second) = match report {
        PrepareReport::Run => (Prepared::Run, None, None),
        PrepareReport::Supply { output, why, from } => {
            let output = output.map(|value| contents.intern(value));
            let from = from.map(|run| contents.intern(run));
            (Prepared::Supply { output, why, from }, output, from)
        }
        PrepareReport::Failed { is_skip, error } => {
            let error = Some(contents.intern(error));
            let then = match is_skip {
                true => Prepared::Skip { reason: error },
                false => Prepared::Fail { error },
            };
            (then, error, None)
        }
    };
    let outcome = scheduler.handle(now, Input::Prepared { task, then });
    if outcome != InputOutcome::Accepted {
        for id in content.into_iter().chain(second) {
            contents.forget(id);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::Failure;
    use zeph_graph::Fault;

    struct PanicsAgain;

    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            std::panic::panic_any(PanicsAgain);
        }
    }

    #[test]
    fn a_panic_keeps_its_message_and_cannot_panic_again() {
        let failure = Failure::panicked(Box::new("boom"));
        assert_eq!(failure.fault, Fault::Panicked);
        assert_eq!(failure.error.message(), "the executor panicked: boom");
        let failure = Failure::panicked(Box::new(PanicsAgain));
        assert!(failure.error.message().ends_with("no message"));
        assert_eq!(failure.error.code(), "panicked");
    }
}
