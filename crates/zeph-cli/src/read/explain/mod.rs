//! Why a task has its state, in words, with the commands to type next.

mod fallback;
mod held;
mod words;

use serde_json::{Value, json};
use zeph_graph::{
    CutWhy, Effect, Fault, Output, SkipWhy, SuppliedWhy, TaskId, TaskState, Timestamp,
};
use zeph_runtime::RunView;
use zeph_scheduler::Explanation;

use crate::context::{command, command_with};
use crate::read::outside::Outside;
use crate::read::page::{count, names};
use crate::read::time::ago;
use crate::read::{next, posted};

pub(crate) use fallback::is_spare;
pub(crate) use held::{Blocked, blocked, blocked_words};
pub(crate) use words::{first_line, is_skipped_by_executor, name, state, state_with};

/// A task and its state, for programs.
pub(crate) fn task_json(view: &RunView, id: TaskId) -> Value {
    json!({
        "task": name(view, id),
        "state": view.scheduler.task(id).state().word(),
        "text": state(view, id),
    })
}

/// Why a task has its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The code, for programs.
    pub(crate) code: &'static str,
    /// A sentence for people; names in it are not escaped yet.
    pub(crate) text: String,
    /// The commands to type next.
    pub(crate) next: Vec<String>,
    /// The tasks that caused it or that it waits for, the root cause last.
    pub(crate) because: Vec<TaskId>,
}

impl Reason {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            code,
            text,
            next: Vec::new(),
            because: Vec::new(),
        }
    }

    fn next(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.next.extend(commands);
        self
    }
}

/// Why that task has its state, from the stored run and what other processes do.
pub(crate) fn of(view: &RunView, outside: &Outside, task: TaskId, now: Timestamp) -> Reason {
    let (run, owner) = (&view.run, &outside.owner);
    let rules = view.graph().task(task).rules();
    let limit = |what: &str, at: Option<Timestamp>| {
        let text = at.map(|at| format!("; {what} {}", ago(at, now)));
        text.unwrap_or_default()
    };
    match view.scheduler.explain(task) {
        Explanation::Parents { open, count } => parents(view, task, &open, count),
        Explanation::Held(_) => held::reason(view, outside, task),
        Explanation::Preparing => {
            let resume = owner.is_none().then(|| command(&["resume", run.as_str()]));
            let text = "Its dependencies have ended, and it is being found out whether it runs.";
            Reason::new("preparing", text).next(resume)
        }
        Explanation::Running { .. } if owner.is_none() => interrupted(view, task, "It was running"),
        Explanation::Running {
            attempt,
            since,
            deadline,
        } => {
            let (since, limit) = (ago(since, now), limit("it times out", deadline));
            let text = format!("It is running: attempt {attempt}, started {since}{limit}.");
            Reason::new("running", text)
        }
        Explanation::BackingOff {
            until,
            attempt_counts,
            max_retries,
        } => {
            let resume = owner.is_none().then(|| command(&["resume", run.as_str()]));
            let text = words::backing_off(until, attempt_counts, max_retries, now);
            Reason::new("backing_off", text).next(resume)
        }
        Explanation::Asking {
            question,
            why,
            since,
            deadline,
        } => {
            let (why, since) = (words::asking(why), ago(since, now));
            let then = match posted::answer(view, question.get(), now) {
                Some(answered) => format!("; {answered}"),
                None => limit("its default counts", deadline),
            };
            let text = format!("{why}: question {question}, asked {since}{then}.");
            let mut open = next::questions(view).into_iter();
            let open = open.find(|(open, _)| open.id == question.get());
            let answers = open.map(|(_, commands)| commands).unwrap_or_default();
            Reason::new("asking", text).next(answers)
        }
        Explanation::Items(items) => {
            let text = format!("It runs for each item of a list: {}.", words::items(items));
            Reason::new("mapping", text).next([command(&["status", run.as_str()])])
        }
        Explanation::FallingBack { to, why } => fallback::falling_back(view, task, to, why),
        Explanation::Fallback { of } => fallback::spare(view, of),
        Explanation::Finally { open } => {
            let has = if open == 1 { "has" } else { "have" };
            let text = format!(
                "It runs at the end: {} {has} not ended.",
                count(open.into(), "other task")
            );
            Reason::new("finally", text).next([command(&["status", run.as_str()])])
        }
        Explanation::Canceling { .. } if owner.is_none() => {
            interrupted(view, task, "It was being stopped")
        }
        Explanation::Canceling {
            attempt,
            why,
            deadline,
        } => {
            let limit = limit("it is given up", deadline);
            let why = match why {
                CutWhy::AttemptTimeout => format!("it {}", Fault::AttemptTimeout.text(rules)),
                CutWhy::IdleTimeout => format!("it {}", Fault::IdleTimeout.text(rules)),
                CutWhy::TaskTimeout => format!("the task {}", Fault::TaskTimeout.text(rules)),
                CutWhy::Cancel(_) | CutWhy::Suspend | CutWhy::Override => why.to_string(),
            };
            let text = format!("Attempt {attempt} is being stopped: {why}{limit}.");
            Reason::new("canceling", text)
        }
        Explanation::Ended { state, because } => ended(view, task, state, because),
        _ => Reason::new("unknown", format!("It is {}.", state(view, task)))
            .next([command_with(&["show", run.as_str()], &[name(view, task)])]),
    }
}

fn parents(view: &RunView, task: TaskId, open: &[TaskId], total: u32) -> Reason {
    let text = format!(
        "It waits for {} that {} not ended: {}.",
        count(total.into(), "task"),
        if total == 1 { "has" } else { "have" },
        names(open.iter().map(|&id| name(view, id)), total as usize)
    );
    // Follows the first open parent to a task that waits for no parent. Each step goes to a parent, so the
    // loop ends.
    let mut because = vec![task];
    let mut at = task;
    while let Explanation::Parents { open, .. } = view.scheduler.explain(at)
        && let Some(&first) = open.first()
    {
        because.push(first);
        at = first;
    }
    let next = [command_with(&["why", view.run.as_str()], &[name(view, at)])];
    Reason {
        because,
        ..Reason::new("parents", text).next(next)
    }
}

/// The reason if the owner's process ended: the effect class decides what a resume does.
fn interrupted(view: &RunView, task: TaskId, what: &str) -> Reason {
    let is_given = view.scheduler.task(task).manual_end().is_some();
    let then = match view.graph().task(task).rules().effect {
        _ if is_given => "the end that was given by hand counts when the run is resumed",
        Effect::Pure | Effect::Idempotent => "it runs again when the run is resumed",
        Effect::AtMostOnce => "it must not run twice, so a person is asked when the run is resumed",
    };
    let text = format!("{what} when the process of the run ended; {then}.");
    Reason::new("interrupted", text).next([command(&["resume", view.run.as_str()])])
}

fn ended(view: &RunView, task: TaskId, state: TaskState, because: Vec<TaskId>) -> Reason {
    let run = view.run.as_str();
    let (code, text) = match state {
        TaskState::Completed {
            output: Output::Definition,
        } if view.stand_in(task).is_none() => (
            "completed",
            "It completed with its substitute value.".to_owned(),
        ),
        TaskState::Completed { .. } if view.scheduler.task(task).manual_end().is_some() => (
            "completed",
            "It completed with a result that was given by hand.".to_owned(),
        ),
        TaskState::Completed { .. } if view.stand_in(task).is_some() => {
            let other = view.stand_in(task).map_or("?", |other| name(view, other));
            let text = format!("It failed, and completed with the result of {other}.");
            ("completed", text)
        }
        TaskState::Completed { .. } if let Some(reused) = view.scheduler.task(task).reused() => {
            let text = match reused.why {
                SuppliedWhy::Cached => {
                    "It did not run: an equal command with the same input files has run before."
                }
                SuppliedWhy::Kept | SuppliedWhy::SameInputs => {
                    "It did not run again: what it needs ran again with the same results."
                }
            };
            ("completed", text.to_owned())
        }
        TaskState::Failed { why } => {
            let rules = view.graph().task(task).rules();
            (
                "failed",
                format!("It failed: {}.", words::fault(why, rules)),
            )
        }
        TaskState::Skipped { why } => {
            let text = match why {
                SkipWhy::Upstream(parent) => {
                    format!(
                        "It was skipped, because {} did not complete.",
                        name(view, parent)
                    )
                }
                SkipWhy::Override => "It was skipped by hand.".to_owned(),
                SkipWhy::NotNeeded => fallback::not_needed(view, task),
                SkipWhy::NoFailure
                | SkipWhy::Declined
                | SkipWhy::Condition
                | SkipWhy::Executor
                | SkipWhy::Withdrawn
                | SkipWhy::Removed => format!("It was skipped: {why}."),
            };
            ("skipped", text)
        }
        TaskState::Canceled { why } => ("canceled", format!("It was canceled: {why}.")),
        TaskState::Completed { .. }
        | TaskState::Pending
        | TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::BackingOff { .. }
        | TaskState::Asking { .. }
        | TaskState::Mapping
        | TaskState::FallingBack { .. }
        | TaskState::Canceling { .. } => ("completed", "It completed.".to_owned()),
    };
    let root = because.last().copied().unwrap_or(task);
    let root = name(view, root);
    let logs = (code != "completed").then(|| command_with(&["logs", run], &[root]));
    Reason {
        because,
        ..Reason::new(code, text)
            .next([command_with(&["show", run], &[root])])
            .next(logs)
    }
}
