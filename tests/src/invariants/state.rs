//! State: invariants of the state after every event.

use zeph_graph::{RunState, SuppliedWhy, TaskState, Timestamp, Trigger};
use zeph_scheduler::{Counts, Scheduler, Snapshot};

use crate::facts::Facts;
use crate::hold;
use crate::model::Model;
use crate::violation::Check;

pub(super) fn inv_01_dependencies_satisfied(facts: &Facts, snapshot: &Snapshot) -> Check {
    let state = |task: zeph_graph::TaskId| snapshot.states[task.index()];
    for task in facts.graph().ids() {
        let parents = facts.graph().parents(task);
        let open = parents.iter().filter(|&&p| !state(p).is_end()).count();
        hold!(
            snapshot.waiting[task.index()] as usize == open,
            1,
            "dependencies_satisfied",
            "{task} waits for {} parents, and {open} are open",
            snapshot.waiting[task.index()]
        );
        let moved = match state(task) {
            TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::Mapping
            | TaskState::FallingBack { .. }
            | TaskState::Canceling { .. }
            | TaskState::Completed { .. }
            | TaskState::Failed { .. } => true,
            TaskState::Pending | TaskState::Skipped { .. } | TaskState::Canceled { .. } => false,
        };
        let completed = |&p: &zeph_graph::TaskId| state(p).is_completed();
        let failed = |&p: &zeph_graph::TaskId| {
            matches!(
                state(p),
                TaskState::Failed { .. } | TaskState::Canceled { .. }
            )
        };
        let mut parents = parents.iter();
        let satisfied = match facts.rules(task).trigger {
            Trigger::AllSuccess => parents.all(completed),
            Trigger::AllDone => open == 0,
            Trigger::AnySuccess => parents.len() == 0 || parents.any(completed),
            Trigger::AnyFailed => parents.len() == 0 || parents.any(failed),
            Trigger::NoneFailed => open == 0 && !parents.any(failed),
        };
        let is_given = snapshot.overrides.iter().any(|&(of, _)| of == task);
        let satisfied = satisfied || (is_given && state(task).is_completed());
        let in_turn = is_given || !facts.rules(task).finally || is_work_over(facts, snapshot);
        let satisfied = satisfied && in_turn;
        // A result may be given by hand or by an earlier run.
        let user = facts.users[task.index()].filter(|_| !state(task).is_completed());
        let is_used = user.is_none_or(|user| {
            let is_falling_back =
                matches!(state(user), TaskState::FallingBack { to, .. } if to == task);
            is_falling_back || state(user).is_end()
        });
        hold!(
            is_used || !moved,
            28,
            "fallbacks_in_turn",
            "{task} is {:?}, and the task whose fallback it is has not failed",
            state(task)
        );
        hold!(
            satisfied || !moved,
            1,
            "dependencies_satisfied",
            "{task} is {:?} before its trigger fires",
            state(task)
        );
    }
    Ok(())
}

/// Whether only finalizers are left.
pub(super) fn is_work_over(facts: &Facts, snapshot: &Snapshot) -> bool {
    let mut tasks = facts.graph().ids();
    tasks.all(|task| facts.rules(task).finally || snapshot.states[task.index()].is_end())
}

pub(super) fn inv_02_lanes_within_capacity(facts: &Facts, snapshot: &Snapshot) -> Check {
    let holds_slot = |state: TaskState| {
        matches!(
            state,
            TaskState::Running { .. } | TaskState::Canceling { .. }
        )
    };
    let graph = facts.graph();
    for (lane, (definition, &counter)) in graph.lanes().iter().zip(&snapshot.lanes).enumerate() {
        let holders = graph
            .ids()
            .filter(|task| holds_slot(snapshot.states[task.index()]));
        let uses = holders.flat_map(|task| facts.lanes(task));
        let used: u64 = uses
            .filter(|used| used.lane.index() == lane)
            .map(|used| u64::from(used.weight))
            .sum();
        hold!(
            used == u64::from(counter) && used <= u64::from(definition.capacity),
            2,
            "lanes_within_capacity",
            "lane {lane} counts {counter}, holds {used} of {}",
            definition.capacity
        );
    }
    let counted = recount(snapshot);
    hold!(
        counted == snapshot.counts,
        2,
        "lanes_within_capacity",
        "counted {counted:?}, the counters say {:?}",
        snapshot.counts
    );
    hold!(
        counted.in_flight() <= facts.header.policy.max_parallel.get(),
        2,
        "lanes_within_capacity",
        "{} attempts in flight",
        counted.in_flight()
    );
    let ready = snapshot.ready.len();
    let all_ready = |task: &zeph_graph::TaskId| snapshot.states[task.index()] == TaskState::Ready;
    hold!(
        ready == counted.ready as usize && snapshot.ready.iter().all(all_ready),
        2,
        "lanes_within_capacity",
        "the ready queue is {:?}, of {} ready tasks",
        snapshot.ready,
        counted.ready
    );
    Ok(())
}

/// How many completed tasks have a result of an earlier run for this reason.
fn reused(snapshot: &Snapshot, why: SuppliedWhy) -> u32 {
    let tasks = snapshot
        .reused
        .iter()
        .filter(|(task, reused)| reused.why == why && snapshot.states[task.index()].is_completed());
    tasks.count() as u32
}

/// Counts the tasks by state; the numbers of substitutes are checked by the model.
fn recount(snapshot: &Snapshot) -> Counts {
    let mut counts = Counts {
        substituted: snapshot.counts.substituted,
        by_fallback: snapshot.counts.by_fallback,
        cached: reused(snapshot, SuppliedWhy::Cached),
        same_inputs: reused(snapshot, SuppliedWhy::SameInputs),
        ..Counts::default()
    };
    for state in &snapshot.states {
        let counter = match state {
            TaskState::Pending => &mut counts.pending,
            TaskState::Ready => &mut counts.ready,
            TaskState::Running { .. } => &mut counts.running,
            TaskState::BackingOff { .. } => &mut counts.backing_off,
            TaskState::Asking { .. } => &mut counts.asking,
            TaskState::Mapping => &mut counts.mapping,
            TaskState::FallingBack { .. } => &mut counts.falling_back,
            TaskState::Canceling { .. } => &mut counts.canceling,
            TaskState::Completed { .. } => &mut counts.completed,
            TaskState::Failed { .. } => &mut counts.failed,
            TaskState::Skipped { .. } => &mut counts.skipped,
            TaskState::Canceled { .. } => &mut counts.canceled,
        };
        *counter += 1;
    }
    counts
}

pub(super) fn inv_03_ends_are_final(before: &Snapshot, after: &Snapshot) -> Check {
    for (at, (old, new)) in before.states.iter().zip(&after.states).enumerate() {
        hold!(
            !old.is_end() || old == new,
            3,
            "ends_are_final",
            "task {at} was {old:?} and is {new:?}"
        );
    }
    let over = matches!(before.run, RunState::Ended(_));
    hold!(
        !over || before == after,
        3,
        "ends_are_final",
        "the run was {:?}, and something changed",
        before.run
    );
    Ok(())
}

/// The live timers are exactly those that the states require, and the deadline is the first of them.
///
/// # Errors
/// If a timer is missing, surplus or at the wrong time.
pub fn inv_07_timers(snapshot: &Snapshot, machine: &Scheduler, model: &Model) -> Check {
    let expected = model.timers();
    hold!(
        snapshot.timers == expected,
        7,
        "timers_exact",
        "live: {:?}; called for: {expected:?}",
        snapshot.timers
    );
    let first = expected.first().map(|&(at, _)| at);
    // A timer at `Timestamp::MAX` never fires, so it is not a deadline.
    let first = first.filter(|&at| at < Timestamp::MAX);
    let deadline = if model.is_asleep() { None } else { first };
    hold!(
        machine.deadline() == deadline,
        7,
        "timers_exact",
        "the deadline is {:?} instead of {deadline:?}",
        machine.deadline()
    );
    Ok(())
}

pub(super) fn inv_09_no_hang(snapshot: &Snapshot, machine: &Scheduler, model: &Model) -> Check {
    let unfinished = snapshot.states.iter().any(|state| !state.is_end());
    let at_rest = model.is_asleep() || model.is_paused();
    let moves = |state: &TaskState| match state {
        TaskState::BackingOff { until, .. } => *until < Timestamp::MAX,
        TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::Asking { .. }
        | TaskState::Canceling { .. } => true,
        TaskState::Pending
        | TaskState::Mapping
        | TaskState::FallingBack { .. }
        | TaskState::Completed { .. }
        | TaskState::Failed { .. }
        | TaskState::Skipped { .. }
        | TaskState::Canceled { .. } => false,
    };
    let endless = |state: &TaskState| matches!(state, TaskState::BackingOff { .. });
    let waits_for_ever = snapshot.states.iter().any(endless);
    let timed = machine.deadline().is_some();
    let hangs = unfinished && !at_rest && !snapshot.states.iter().any(moves);
    let hangs = hangs && !timed && snapshot.preparing.is_empty();
    hold!(
        !hangs || waits_for_ever,
        9,
        "no_hang",
        "nothing can move any more; the machine names {:?}",
        machine.stuck()
    );
    let unended = |&(_, state): &(usize, &TaskState)| !state.is_end();
    let expected: Vec<usize> = if hangs {
        let states = snapshot.states.iter().enumerate();
        states.filter(unended).map(|(at, _)| at).collect()
    } else {
        Vec::new()
    };
    let stuck: Vec<usize> = machine.stuck().iter().map(|task| task.index()).collect();
    hold!(
        stuck == expected,
        9,
        "no_hang",
        "{stuck:?} are called stuck instead of {expected:?}"
    );
    let over = matches!(snapshot.run, RunState::Ended(_));
    hold!(
        unfinished || over || model.is_asleep(),
        11,
        "ends_in_bounded_events",
        "every task has ended, the run has not"
    );
    Ok(())
}
