//! Why a task waits for its fallback, and why a fallback waits or was skipped.

use zeph_graph::{Fault, TaskId, TaskState};
use zeph_runtime::RunView;

use super::{Reason, name, words};
use crate::context::command_with;

/// Whether the task waits for the failure of another one.
pub(crate) fn is_spare(view: &RunView, task: TaskId) -> bool {
    let user = view.graph().fallback_of(task);
    user.is_some_and(|user| {
        let state = view.scheduler.task(user).state();
        !matches!(state, TaskState::FallingBack { .. })
    })
}

/// The name of the task whose fallback this one is.
pub(super) fn user(view: &RunView, task: TaskId) -> &str {
    let user = view.graph().fallback_of(task);
    user.map_or("?", |user| name(view, user))
}

pub(super) fn falling_back(view: &RunView, task: TaskId, to: TaskId, why: Fault) -> Reason {
    let rules = view.graph().task(task).rules();
    let (why, other) = (words::fault(why, rules), name(view, to));
    let text = format!("It failed: {why}. {other} runs in its place.");
    let next = command_with(&["why", view.run.as_str()], &[other]);
    Reason {
        because: vec![task, to],
        ..Reason::new("falling_back", text).next([next])
    }
}

/// A fallback whose turn has not come.
pub(super) fn spare(view: &RunView, of: TaskId) -> Reason {
    let of = name(view, of);
    let next = command_with(&["why", view.run.as_str()], &[of]);
    Reason::new("fallback", format!("It runs only if {of} fails.")).next([next])
}

/// A fallback whose turn never came.
pub(super) fn not_needed(view: &RunView, task: TaskId) -> String {
    let user = user(view, task);
    format!("It was skipped: it runs only if {user} fails, and {user} ended without it.")
}
