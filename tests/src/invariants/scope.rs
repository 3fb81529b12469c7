//! Scope: how far an input may reach.

use zeph_graph::{CutWhy, TaskId, TaskState};
use zeph_scheduler::{Input, Reception, Scope};

use super::View;
use crate::broken::Check;
use crate::hold;

pub(super) fn inv_06_only_current_attempt_counts(view: &View<'_>) -> Check {
    let (task, attempt) = match view.input {
        Input::Completed { task, attempt, .. }
        | Input::Failed { task, attempt, .. }
        | Input::Lost { task, attempt } => (task, attempt),
        Input::Start
        | Input::Answered { .. }
        | Input::Cancel(_)
        | Input::Pause
        | Input::Unpause
        | Input::Suspend
        | Input::Resume
        | Input::Budget(_)
        | Input::Quota(_)
        | Input::Tick => return Ok(()),
    };
    let current = match view.before.states.get(task.index()) {
        Some(TaskState::Running { attempt: a, .. } | TaskState::Canceling { attempt: a, .. }) => {
            *a == attempt
        }
        Some(
            TaskState::Pending
            | TaskState::Ready
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. },
        )
        | None => false,
    };
    hold!(
        current == (view.reception == Reception::Taken),
        6,
        "only_current_attempt_counts",
        "the report of attempt {attempt} of {task} is {:?}",
        view.reception
    );
    Ok(())
}

/// What is stale changes nothing; only timers that are due may.
pub(super) fn inv_13_records_explained(view: &View<'_>) -> Check {
    let no_effect =
        view.reception != Reception::Taken || matches!(view.input, Input::Tick | Input::Quota(_));
    hold!(
        !no_effect || view.timers_due || view.before == view.after,
        13,
        "records_explained",
        "{:?} was {:?} and no timer due, but something changed",
        view.input,
        view.reception
    );
    Ok(())
}

/// After a cancel everything in its scope has ended or is being stopped, in that one step.
pub(super) fn inv_17_cancel_is_complete(view: &View<'_>) -> Check {
    let Input::Cancel(scope) = view.input else {
        return Ok(());
    };
    if view.model.phase() == crate::model::Phase::New {
        return Ok(());
    }
    let in_scope = |task: TaskId| match scope {
        Scope::Task(root) => task == root,
        Scope::Downstream(root) => {
            let below = view.facts.below.get(root.index());
            task == root || below.is_some_and(|below| below[task.index()])
        }
        Scope::Run => true,
    };
    for task in view.facts.graph().ids().filter(|&task| in_scope(task)) {
        let state = view.after.states[task.index()];
        let stopping = match state {
            TaskState::Canceling { why, .. } => {
                // What was being stopped already ends with the run.
                matches!(why, CutWhy::Cancel(_)) || view.model.ending().is_some()
            }
            TaskState::Pending
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. } => false,
        };
        hold!(
            state.is_end() || stopping,
            17,
            "cancel_is_complete",
            "{task} is {state:?} after {:?}",
            view.input
        );
    }
    Ok(())
}

/// An input about one task changes that task and what depends on it, unless it aborts the run.
pub(super) fn inv_18_branch_exact(view: &View<'_>) -> Check {
    if view.timers_due || view.model.ending().is_some() {
        return Ok(());
    }
    let root = match view.input {
        Input::Completed { task, .. }
        | Input::Failed { task, .. }
        | Input::Lost { task, .. }
        | Input::Cancel(Scope::Task(task) | Scope::Downstream(task)) => task,
        Input::Answered { question, .. } => {
            let mut open = view.before.questions.iter();
            match open.find(|open| open.id == question) {
                Some(open) => open.task,
                None => return Ok(()),
            }
        }
        Input::Start
        | Input::Cancel(Scope::Run)
        | Input::Pause
        | Input::Unpause
        | Input::Suspend
        | Input::Resume
        | Input::Budget(_)
        | Input::Quota(_)
        | Input::Tick => return Ok(()),
    };
    let Some(below) = view.facts.below.get(root.index()) else {
        return Ok(());
    };
    for (at, (old, new)) in view
        .before
        .states
        .iter()
        .zip(&view.after.states)
        .enumerate()
    {
        // A grace or time-out of zero fires in the same step, but only in the cone, too.
        hold!(
            at == root.index() || below[at] || old == new,
            18,
            "branch_exact",
            "{:?} changed task {at} from {old:?} to {new:?}",
            view.input
        );
    }
    Ok(())
}
