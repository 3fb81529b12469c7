//! The words for states, faults and the reasons that ends carry.

use zeph_executor::TaskErrorRecord;
use zeph_graph::{
    AskWhy, Fault, Output, Rules, SkipWhy, SuppliedWhy, Task, TaskId, TaskState, Timestamp,
};
use zeph_runtime::RunView;
use zeph_runtime::driver::failed_items;
use zeph_scheduler::{AttemptCounts, Items};

use super::fallback;
use crate::read::page::count;
use crate::read::time::ago;

/// The name of a task.
pub(crate) fn name(view: &RunView, task: TaskId) -> &str {
    view.graph().get(task).map_or("?", Task::name)
}

/// The state of a task with its reason, in a few words.
pub(crate) fn state(view: &RunView, task: TaskId) -> String {
    match view.scheduler.task(task).state() {
        state @ (TaskState::Pending | TaskState::Ready) => state.word().into(),
        TaskState::Running { attempt, .. } => format!("running, attempt {attempt}"),
        TaskState::BackingOff { attempt, .. } => format!("backing off after attempt {attempt}"),
        TaskState::Asking { question } => format!("asking, question {question}"),
        state @ TaskState::Mapping => match view.scheduler.items(task) {
            Some(of) => items(of),
            None => state.word().into(),
        },
        TaskState::FallingBack { to, .. } => {
            format!("failed, {} runs in its place", name(view, to))
        }
        TaskState::Canceling { attempt, .. } => format!("canceling attempt {attempt}"),
        TaskState::Completed { output } => match output {
            _ if view.scheduler.task(task).manual_end().is_none()
                && let Some(other) = view.stand_in(task) =>
            {
                format!("completed with the result of {}", name(view, other))
            }
            Output::Definition => "completed with its substitute value".into(),
            _ if view.scheduler.task(task).manual_end().is_some() => "completed by hand".into(),
            _ if let Some(reused) = view.scheduler.task(task).reused() => match reused.why {
                SuppliedWhy::Cached => "completed, cached".into(),
                SuppliedWhy::Kept | SuppliedWhy::SameInputs => {
                    "completed, kept with the same inputs".into()
                }
            },
            Output::None | Output::Content(_) => "completed".into(),
        },
        // The error that goes with it says more.
        TaskState::Failed { why: Fault::Error } => "failed".into(),
        TaskState::Failed { why: Fault::Item } => {
            let items = failed_items(&view.scheduler, task);
            items.unwrap_or_else(|| "failed".into())
        }
        TaskState::Failed { why } => {
            format!("failed: {}", why.text(view.graph().task(task).rules()))
        }
        TaskState::Skipped { why } => match why {
            SkipWhy::Upstream(parent) => {
                format!("skipped: {} did not complete", name(view, parent))
            }
            SkipWhy::Declined => "skipped: declined".into(),
            SkipWhy::Override => "skipped by hand".into(),
            SkipWhy::NotNeeded => {
                format!("skipped: {} ended without it", fallback::user(view, task))
            }
            SkipWhy::Withdrawn => "withdrawn".into(),
            SkipWhy::NoFailure | SkipWhy::Condition | SkipWhy::Executor | SkipWhy::Removed => {
                format!("skipped: {why}")
            }
        },
        TaskState::Canceled { why } => format!("canceled: {why}"),
    }
}

/// As [`state`], with the reason that the executor gave if it skipped the task.
pub(crate) fn state_with(view: &RunView, task: TaskId, error: Option<&TaskErrorRecord>) -> String {
    match error.filter(|_| is_skipped_by_executor(view, task)) {
        Some(error) => format!("skipped: {}", first_line(error)),
        None => state(view, task),
    }
}

/// Whether an attempt of the task ended with the wish to skip it, and its reason.
pub(crate) fn is_skipped_by_executor(view: &RunView, task: TaskId) -> bool {
    const SKIPPED: TaskState = TaskState::Skipped {
        why: SkipWhy::Executor,
    };
    view.scheduler.task(task).state() == SKIPPED
}

/// The first line of the message of an error.
pub(crate) fn first_line(error: &TaskErrorRecord) -> &str {
    error.message.lines().next().unwrap_or_default()
}

/// How far the items of a list are.
pub(super) fn items(items: Items) -> String {
    let failed = match items.failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let ended = items.total - items.open;
    format!(
        "{ended} of {} ended{failed}",
        count(items.total.into(), "item")
    )
}

pub(super) fn backing_off(
    until: Timestamp,
    attempt_counts: AttemptCounts,
    max_retries: u32,
    now: Timestamp,
) -> String {
    let failures = attempt_counts.failures;
    let restarts = match attempt_counts.restarts {
        0 => String::new(),
        restarts => format!(" and {}", count(restarts.into(), "interruption")),
    };
    let again = if until <= now {
        "now".into()
    } else {
        ago(until, now)
    };
    let retries = match max_retries {
        1 => "1 retry".to_owned(),
        max => format!("{max} retries"),
    };
    format!(
        "It has failed {}{restarts}. It is tried again {again} ({failures} of {retries} used).",
        count(failures.into(), "time")
    )
}

pub(super) fn asking(why: AskWhy) -> String {
    match why {
        AskWhy::Work => "It is a question".to_owned(),
        AskWhy::Approve => "It needs a person's approval".to_owned(),
        AskWhy::Failure(fault) => {
            format!("It failed ({fault}), and a person decides how to continue")
        }
    }
}

pub(super) fn fault(fault: Fault, rules: &Rules) -> String {
    let text = match fault {
        Fault::Error => "its last attempt ended in an error",
        Fault::Permanent => "its attempt ended in a permanent error, which is not retried",
        Fault::Refused => "its executor refused the work",
        Fault::Panicked => "its executor panicked",
        Fault::AttemptTimeout | Fault::IdleTimeout => {
            return format!("its last attempt {}", fault.text(rules));
        }
        Fault::TaskTimeout => return format!("all its attempts together {}", fault.text(rules)),
        Fault::Interrupted => "its attempt was interrupted, and it must not happen twice",
        Fault::Item => "an item of its list failed",
        Fault::Prepare => "it could not be prepared",
        Fault::Skipped => "its executor found nothing to do",
        Fault::Budget => "a budget does not cover its next call",
    };
    text.to_owned()
}
