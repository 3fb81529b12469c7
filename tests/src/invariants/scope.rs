//! Scope: the tasks that an input may change.

use zeph_graph::{Attempt, CutWhy, ManualEnd, SkipWhy, TaskId, TaskState};
use zeph_scheduler::{Input, Scope, Snapshot};

use super::View;
use super::state::is_work_over;
use crate::call::{Call, CallReply};
use crate::hold;
use crate::violation::Check;

pub(super) fn inv_06_only_current_attempt_counts(view: &View<'_>) -> Check {
    let Some((task, attempt)) = attempt_of(view.what) else {
        return Ok(());
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
            | TaskState::Mapping
            | TaskState::FallingBack { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. },
        )
        | None => false,
    };
    // A report or a note of the current attempt must be accepted; other calls may be refused.
    let is_report = matches!(view.what, Call::Input(_) | Call::Note { .. });
    // The graph may refuse a list.
    let is_refused = matches!(view.what, Call::Input(Input::Expanded { .. }))
        && view.reply == CallReply::Rejected;
    let fine = if current {
        !is_report || is_refused || view.reply == CallReply::Accepted
    } else {
        view.reply == CallReply::Stale
    };
    hold!(
        fine,
        6,
        "only_current_attempt_counts",
        "what attempt {attempt} of {task} says is {:?}",
        view.reply
    );
    Ok(())
}

/// The attempt that makes the call, if it comes from an attempt.
fn attempt_of(what: &Call) -> Option<(TaskId, Attempt)> {
    match *what {
        Call::Input(
            Input::Completed { task, attempt, .. }
            | Input::Expanded { task, attempt, .. }
            | Input::Failed { task, attempt, .. }
            | Input::Lost { task, attempt },
        )
        | Call::Reserve { task, attempt, .. }
        | Call::Settle { task, attempt, .. }
        | Call::Note { task, attempt, .. }
        | Call::Amend { task, attempt, .. } => Some((task, attempt)),
        Call::Input(
            Input::Supply { .. }
            | Input::SupplyItems { .. }
            | Input::Prepared { .. }
            | Input::Start
            // An attempt that has no idle time-out, or is being stopped, is never idle.
            | Input::Idle { .. }
            | Input::Answered { .. }
            | Input::Override { .. }
            | Input::Cancel(_)
            | Input::Pause
            | Input::Unpause
            | Input::Suspend
            | Input::Resume
            | Input::Budget(_)
            | Input::Quota(_)
            | Input::LaneQuota { .. }
            | Input::Tick,
        )
        | Call::AmendByHand { .. } => None,
    }
}

/// A stale or rejected call changes nothing; only due timers may change the state.
pub(super) fn inv_13_records_explained(view: &View<'_>) -> Check {
    let idle = matches!(
        view.what,
        Call::Input(Input::Tick | Input::Quota(_) | Input::LaneQuota { .. })
    );
    let no_effect = idle || view.reply.changes_nothing();
    hold!(
        !no_effect || view.timers_due || view.before == view.after,
        13,
        "records_explained",
        "{:?} was {:?} and no timer due, but something changed",
        view.what,
        view.reply
    );
    Ok(())
}

/// After a cancel every task in its scope has ended or is being stopped, in the same step.
pub(super) fn inv_17_cancel_is_complete(view: &View<'_>) -> Check {
    let Call::Input(Input::Cancel(scope)) = *view.what else {
        return Ok(());
    };
    if view.model.phase() == crate::model::Phase::New {
        return Ok(());
    }
    let is_finalizer = |task: TaskId| view.facts.rules(task).finally;
    let was_over = is_work_over(view.facts, view.before);
    let was_mapping = |task: TaskId| {
        let before = view.before.states.get(task.index());
        before == Some(&TaskState::Mapping)
    };
    let is_item_of = |task: TaskId, of: TaskId| {
        was_mapping(of) && view.facts.graph().item(task).map(|(of, _)| of) == Some(of)
    };
    let in_scope = |task: TaskId| match scope {
        Scope::Task(root) if is_item_of(task, root) => true,
        Scope::Task(root) => task == root,
        Scope::Downstream(root) => {
            let below = view.facts.below.get(root.index());
            let is_below = below.is_some_and(|below| below[task.index()]);
            task == root || (is_below && (!is_finalizer(task) || is_finalizer(root)))
        }
        Scope::Run => !is_finalizer(task) || was_over,
    };
    // What runs in place of a task of the scope is in the scope.
    let mut scope: Vec<TaskId> = (view.facts.graph().ids())
        .filter(|&task| in_scope(task))
        .collect();
    let mut seen = 0;
    while let Some(&task) = scope.get(seen) {
        scope.extend(stand_in(view.before, task));
        seen += 1;
    }
    for task in scope {
        let state = view.after.states[task.index()];
        let stopping = match state {
            TaskState::Canceling { why, .. } => {
                // An attempt that was already being stopped keeps its reason when the run ends.
                matches!(why, CutWhy::Cancel(_) | CutWhy::Override) || view.model.ending().is_some()
            }
            TaskState::Pending
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::Mapping
            | TaskState::FallingBack { .. }
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
            view.what
        );
    }
    Ok(())
}

/// The task that runs in place of this one.
fn stand_in(snapshot: &Snapshot, task: TaskId) -> Option<TaskId> {
    if let Some(&TaskState::FallingBack { to, .. }) = snapshot.states.get(task.index()) {
        Some(to)
    } else {
        None
    }
}

/// A task that a person ends has that end in the same step, or its attempt is being stopped for it; and a given
/// end is the end.
pub(super) fn inv_26_given_ends_count(view: &View<'_>) -> Check {
    for &(task, end) in &view.after.overrides {
        let state = view.after.states[task.index()];
        let fine = match (state, end) {
            (TaskState::Completed { output }, ManualEnd::Complete(given)) => output == given,
            (TaskState::Skipped { why }, ManualEnd::Skip | ManualEnd::Withdraw) => {
                end.skip_why() == Some(why)
            }
            (TaskState::Canceling { why, .. }, _) => why == CutWhy::Override,
            (_, _) => false,
        };
        hold!(
            fine,
            26,
            "given_ends_count",
            "{task} was given {end:?} and is {state:?}"
        );
    }
    let given = |snapshot: &Snapshot| snapshot.overrides.len();
    let asked = matches!(view.what, Call::Input(Input::Override { .. }));
    let mut more = usize::from(asked && view.reply == CallReply::Accepted);
    // The items of a task that a person ends are skipped by the same word, and so is what runs in its place.
    if let Call::Input(Input::Override { task, .. }) = *view.what
        && more > 0
    {
        let is_open = |task: TaskId| {
            let canceled = matches!(
                view.before.states[task.index()],
                TaskState::Canceling {
                    why: CutWhy::Cancel(_) | CutWhy::Override,
                    ..
                }
            );
            !canceled && !view.before.states[task.index()].is_end()
        };
        let mut at = Some(task);
        while let Some(task) = at {
            at = stand_in(view.before, task);
            more += at.map_or(0, |at| usize::from(is_open(at)));
            if view.before.states[task.index()] == TaskState::Mapping {
                more += view.facts.items(task).filter(|&item| is_open(item)).count();
            }
        }
    }
    hold!(
        given(view.after) == given(view.before) + more,
        26,
        "given_ends_count",
        "{:?} was {:?}, and {:?} became {:?}",
        view.what,
        view.reply,
        view.before.overrides,
        view.after.overrides
    );
    Ok(())
}

/// An input about one task changes only that task and its descendants, unless it aborts the run.
pub(super) fn inv_18_branch_exact(view: &View<'_>) -> Check {
    if view.timers_due || view.model.ending().is_some() {
        return Ok(());
    }
    let root = match *view.what {
        Call::Input(
            Input::Completed { task, .. }
            | Input::Prepared { task, .. }
            | Input::Expanded { task, .. }
            | Input::Failed { task, .. }
            | Input::Lost { task, .. }
            | Input::Idle { task, .. }
            | Input::Override { task, .. }
            | Input::Cancel(Scope::Task(task) | Scope::Downstream(task)),
        ) => task,
        Call::Input(Input::Answered { question, .. }) => {
            let mut open = view.before.questions.iter();
            match open.find(|open| open.id == question) {
                Some(open) => open.task,
                None => return Ok(()),
            }
        }
        Call::Input(
            Input::Supply { .. }
            | Input::SupplyItems { .. }
            | Input::Start
            | Input::Cancel(Scope::Run)
            | Input::Pause
            | Input::Unpause
            | Input::Suspend
            | Input::Resume
            | Input::Budget(_)
            | Input::Quota(_)
            | Input::LaneQuota { .. }
            | Input::Tick,
        )
        | Call::Reserve { .. }
        | Call::Settle { .. }
        | Call::Note { .. }
        | Call::Amend { .. }
        | Call::AmendByHand { .. } => return Ok(()),
    };
    let Some(below) = view.facts.reach.get(root.index()) else {
        return Ok(());
    };
    // The end of the last work releases the finalizers.
    let is_over = is_work_over(view.facts, view.after);
    let may_follow = |at: usize| {
        let task = view.facts.graph().ids().nth(at);
        is_over && task.is_some_and(|task| view.facts.rules(task).finally)
    };
    for (at, (old, new)) in view
        .before
        .states
        .iter()
        .zip(&view.after.states)
        .enumerate()
    {
        // A grace or time-out of zero fires in the same step, also only for the task and its descendants.
        hold!(
            at == root.index() || below[at] || old == new || may_follow(at),
            18,
            "branch_exact",
            "{:?} changed task {at} from {old:?} to {new:?}",
            view.what
        );
    }
    Ok(())
}

/// A call of the attempt API changes no existing task; a patch appends its tasks.
pub(super) fn inv_23_patches_append(view: &View<'_>) -> Check {
    let added = match view.reply {
        CallReply::Added(first, tasks) => {
            hold!(
                first.index() == view.before.states.len(),
                23,
                "patches_append",
                "{first} is the first new one of {}",
                view.after.states.len()
            );
            tasks as usize
        }
        CallReply::Accepted
        | CallReply::Stale
        | CallReply::Rejected
        | CallReply::Reserved(_)
        | CallReply::OverBudget(_)
        | CallReply::Already
        | CallReply::Outdated(_)
        | CallReply::Refused
            if matches!(
                view.what,
                Call::Input(Input::Expanded { .. } | Input::Start | Input::Resume)
            ) =>
        {
            // The items of a list.
            view.facts.graph().len() - view.before.states.len()
        }
        CallReply::Accepted
        | CallReply::Stale
        | CallReply::Rejected
        | CallReply::Reserved(_)
        | CallReply::OverBudget(_)
        | CallReply::Already
        | CallReply::Outdated(_)
        | CallReply::Refused => 0,
    };
    let (before, after) = (&view.before, &view.after);
    let known = before.states.len();
    hold!(
        after.states.len() == known + added && view.machine.graph().len() == known + added,
        23,
        "patches_append",
        "{known} tasks and {added} new ones are {}",
        after.states.len()
    );
    let by_attempt = !matches!(view.what, Call::Input(_));
    hold!(
        !by_attempt
            || view.timers_due
            || ((0..known).all(|index| may_move(view, index))
                && after.attempts[..known] == before.attempts),
        23,
        "patches_append",
        "{:?} moved a task",
        view.what
    );
    Ok(())
}

/// Whether a patch may have led from the task's state before to the one after: only removed tasks end, and
/// finalizers begin if nothing else is left.
fn may_move(view: &View<'_>, index: usize) -> bool {
    let (before, after) = (view.before.states[index], view.after.states[index]);
    let graph = view.machine.graph();
    let task = TaskId::from_index(index as u32);
    let is_removed = |state| {
        let why = SkipWhy::Removed;
        state == TaskState::Skipped { why }
    };
    let is_not_needed = after
        == TaskState::Skipped {
            why: SkipWhy::NotNeeded,
        };
    let has_removed = view.after.states.iter().any(|state| is_removed(*state));
    before == after
        || (is_removed(after) && graph.is_removed(task) && !before.is_end())
        || (is_not_needed && has_removed && !before.is_end())
        || (graph.task(task).rules().finally && has_removed && before == TaskState::Pending)
}
