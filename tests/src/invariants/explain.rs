//! Explain: the answer to "why is it not running" agrees with the state, for every task.

use zeph_graph::{ContentId, EndingWhy, Fault, SkipWhy, TaskId, TaskState};
use zeph_scheduler::{Explanation, Held, Items, Scheduler, Snapshot, TimerKind};

use super::state::is_work_over;
use crate::facts::Facts;
use crate::hold;
use crate::model::{Model, Phase};
use crate::violation::Check;

pub(super) fn inv_19_explain_agrees(
    facts: &Facts,
    after: &Snapshot,
    machine: &Scheduler,
    model: &Model,
) -> Check {
    for task in facts.graph().ids() {
        let explanation = machine.explain(task);
        let agrees = match after.states[task.index()] {
            TaskState::Pending => pending(facts, after, model, task, &explanation),
            TaskState::Ready => held(facts, model, task, &explanation),
            TaskState::Running { attempt, since } => {
                let attempts = due(after, task, TimerKind::Attempt);
                let deadline = attempts
                    .into_iter()
                    .chain(due(after, task, TimerKind::Task))
                    .min();
                explanation
                    == Explanation::Running {
                        attempt,
                        since,
                        deadline,
                    }
            }
            TaskState::BackingOff { until, .. } => {
                explanation
                    == Explanation::BackingOff {
                        until,
                        attempt_counts: machine.task(task).attempt_counts(),
                        max_retries: facts.rules(task).retry.max_retries,
                    }
            }
            TaskState::Asking { question } => {
                let open = after.questions.iter().find(|open| open.id == question);
                open.is_some_and(|open| {
                    explanation
                        == Explanation::Asking {
                            question,
                            why: open.why,
                            since: open.since,
                            deadline: due(after, task, TimerKind::Question),
                        }
                })
            }
            TaskState::Mapping => {
                let items: Vec<TaskState> = (facts.items(task))
                    .map(|item| after.states[item.index()])
                    .collect();
                let count =
                    |want: fn(&&TaskState) -> bool| items.iter().filter(want).count() as u32;
                explanation
                    == Explanation::Items(Items {
                        list: machine
                            .items(task)
                            .map_or(ContentId::FIRST, |items| items.list),
                        total: items.len() as u32,
                        open: count(|state| !state.is_end()),
                        failed: count(|state| matches!(state, TaskState::Failed { .. })),
                    })
            }
            TaskState::FallingBack { to, why } => {
                explanation == Explanation::FallingBack { to, why }
            }
            TaskState::Canceling { attempt, why } => {
                explanation
                    == Explanation::Canceling {
                        attempt,
                        why,
                        deadline: due(after, task, TimerKind::Grace),
                    }
            }
            TaskState::Completed { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Canceled { .. } => ended(facts, after, model, task, &explanation),
        };
        hold!(
            agrees,
            19,
            "explain_agrees",
            "{task} is {:?}, explained as {explanation:?}",
            after.states[task.index()]
        );
    }
    Ok(())
}

fn due(after: &Snapshot, task: TaskId, kind: TimerKind) -> Option<zeph_graph::Timestamp> {
    let mut timers = after.timers.iter();
    let found = timers.find(|(_, timer)| timer.task == Some(task) && timer.kind == kind);
    found.map(|&(at, _)| at)
}

fn pending(
    facts: &Facts,
    after: &Snapshot,
    model: &Model,
    task: TaskId,
    explanation: &Explanation,
) -> bool {
    if after.preparing.contains(&task) {
        return *explanation == Explanation::Preparing;
    }
    if let Some(of) = facts.users[task.index()]
        && model.phase() != Phase::New
    {
        return *explanation == Explanation::Fallback { of };
    }
    if facts.rules(task).finally && !is_work_over(facts, after) {
        let work = facts
            .graph()
            .ids()
            .filter(|&task| !facts.rules(task).finally);
        let open = work
            .filter(|task| !after.states[task.index()].is_end())
            .count();
        let open = u32::try_from(open).unwrap_or(u32::MAX);
        return *explanation == Explanation::Finally { open };
    }
    let parents = facts.graph().parents(task).iter().copied();
    let open: Vec<TaskId> = parents
        .filter(|parent| !after.states[parent.index()].is_end())
        .collect();
    if open.is_empty() {
        // Before the run starts, its triggers are not evaluated.
        return model.phase() == Phase::New && *explanation == Explanation::Held(Held::NoOwner);
    }
    let count = u32::try_from(open.len()).unwrap_or(u32::MAX);
    let first = open.into_iter().take(8).collect();
    *explanation == Explanation::Parents { open: first, count }
}

fn held(facts: &Facts, model: &Model, task: TaskId, explanation: &Explanation) -> bool {
    let Explanation::Held(held) = *explanation else {
        return false;
    };
    let suspended = matches!(model.phase(), Phase::Suspending(_) | Phase::Suspended);
    if suspended {
        return held == Held::Suspended;
    }
    if model.awaits_resume() {
        return held == Held::NoOwner;
    }
    if model.is_paused() {
        return held == Held::Paused;
    }
    let limit = model.slots();
    if model.in_flight() >= limit as usize {
        return held == Held::Slots { limit };
    }
    let full = facts.lanes(task).iter().any(|wanted| {
        let capacity = model.lane_limit(wanted.lane);
        let used = model.lane_use(wanted.lane.index());
        u64::from(used) + u64::from(wanted.weight) > u64::from(capacity)
    });
    match held {
        Held::Lane {
            lane,
            used,
            capacity,
        } => {
            let wants = |wanted: &zeph_graph::LaneUse| {
                wanted.lane == lane
                    && u64::from(used) + u64::from(wanted.weight) > u64::from(capacity)
            };
            full && used == model.lane_use(lane.index())
                && capacity == model.lane_limit(lane)
                && facts.lanes(task).iter().any(wants)
        }
        Held::Nothing => !full,
        Held::NoOwner | Held::Paused | Held::Suspended | Held::Slots { .. } | _ => false,
    }
}

fn ended(
    facts: &Facts,
    after: &Snapshot,
    model: &Model,
    task: TaskId,
    explanation: &Explanation,
) -> bool {
    let Explanation::Ended { state, because } = explanation else {
        return false;
    };
    if *state != after.states[task.index()] || because.first() != Some(&task) {
        return false;
    }
    let abort = match model.ending() {
        Some(EndingWhy::Abort(first)) => Some(first),
        Some(EndingWhy::Cancel | EndingWhy::Timeout) | None => None,
    };
    let ran_in_place_of = |fallback: TaskId, user: TaskId| {
        facts.users[fallback.index()] == Some(user)
            && matches!(after.states[user.index()], TaskState::Failed { .. })
            && matches!(
                after.states[fallback.index()],
                TaskState::Failed { .. }
                    | TaskState::Skipped {
                        why: SkipWhy::Condition | SkipWhy::Declined | SkipWhy::Executor
                    }
            )
    };
    // Each task is the parent that caused the skip of the task before it, or the task that aborted the run.
    because.windows(2).all(|pair| {
        let upstream = matches!(
            after.states[pair[0].index()],
            TaskState::Skipped { why: SkipWhy::Upstream(parent) } if parent == pair[1]
        );
        let canceled = matches!(after.states[pair[0].index()], TaskState::Canceled { .. });
        let by_item = after.states[pair[0].index()] == TaskState::Failed { why: Fault::Item }
            && facts.items(pair[0]).any(|item| item == pair[1])
            && matches!(after.states[pair[1].index()], TaskState::Failed { .. });
        by_item
            || ran_in_place_of(pair[1], pair[0])
            || (upstream && facts.graph().parents(pair[0]).contains(&pair[1]))
            || (canceled && abort == Some(pair[1]))
    }) && because.last().is_some_and(|&last| {
        let mut all = facts.graph().ids();
        let goes_on = |fallback| ran_in_place_of(fallback, last) && !because.contains(&fallback);
        !all.any(goes_on)
            && !matches!(
                after.states[last.index()],
                TaskState::Skipped {
                    why: SkipWhy::Upstream(_)
                }
            )
    })
}
