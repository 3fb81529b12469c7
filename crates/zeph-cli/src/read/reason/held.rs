//! What holds a ready task back. A stored run does not know whether somebody works on it.

use zeph_graph::{LaneId, RunState, TaskId, TaskState};
use zeph_runtime::RunView;
use zeph_scheduler::Held;

use super::Reason;
use super::words::name;
use crate::read::owner::Owner;
use crate::read::page::names;

/// What holds it back, given whether a living process works on the run.
pub(crate) fn held(view: &RunView, owner: &Owner, task: TaskId) -> Held {
    if let RunState::Suspending | RunState::Suspended = view.scheduler.state() {
        return Held::Suspended;
    }
    if owner.is_nobody() {
        return Held::Asleep;
    }
    if view.scheduler.state() == RunState::Paused {
        return Held::Paused;
    }
    let limit = view.scheduler.policy().max_parallel.get();
    if view.scheduler.counts().in_flight() >= limit {
        return Held::Slots { limit };
    }
    let graph = view.graph();
    let full = graph.task(task).rules().lanes.iter().find_map(|wanted| {
        let capacity = graph.lanes()[wanted.lane.index()].capacity;
        let used: u32 = in_lane(view, wanted.lane).map(|(_, weight)| weight).sum();
        (used.saturating_add(wanted.weight) > capacity).then_some(Held::Lane {
            lane: wanted.lane,
            used,
            capacity,
        })
    });
    full.unwrap_or(Held::Nothing)
}

/// The words for it, as the end of "ready, …".
pub(crate) fn held_words(view: &RunView, held: Held) -> String {
    match held {
        Held::Asleep => "but no process works on the run".into(),
        Held::Paused => "but the run is paused".into(),
        Held::Suspended => "but the run is suspended".into(),
        Held::Slots { limit } => {
            let slots = match limit {
                1 => "the one slot is".to_owned(),
                limit => format!("all {limit} slots are"),
            };
            format!("but {slots} taken, by {}", named(view, in_flight(view)))
        }
        Held::Lane {
            lane,
            used,
            capacity,
        } => format!(
            "but lane {} has no room: {used} of {capacity} taken, by {}",
            view.graph().lanes()[lane.index()].name,
            named(view, in_lane(view, lane).map(|(id, _)| id))
        ),
        Held::Nothing => "and starts as soon as its process has a free slot".into(),
        _ => "but something holds it back".into(),
    }
}

pub(super) fn reason(view: &RunView, owner: &Owner, task: TaskId) -> Reason {
    let run = &view.run;
    let held = held(view, owner, task);
    let (code, next) = match held {
        Held::Asleep => ("asleep", Some(format!("zeph resume {run}"))),
        Held::Suspended => ("suspended", Some(format!("zeph resume {run}"))),
        Held::Paused => ("paused", Some(format!("zeph unpause {run}"))),
        Held::Slots { .. } => ("slots", None),
        Held::Lane { .. } => ("lane", None),
        Held::Nothing => ("ready", None),
        _ => ("held", None),
    };
    let text =
        format!("It is ready, {}.", held_words(view, held)).replace("ready, and", "ready and");
    Reason::new(code, text).next(next)
}

/// The tasks whose attempts occupy a slot.
pub(crate) fn in_flight(view: &RunView) -> impl Iterator<Item = TaskId> + '_ {
    let busy = |id: &TaskId| {
        matches!(
            view.scheduler.task(*id).state(),
            TaskState::Running { .. } | TaskState::Canceling { .. }
        )
    };
    view.graph().ids().filter(busy)
}

fn in_lane(view: &RunView, lane: LaneId) -> impl Iterator<Item = (TaskId, u32)> + '_ {
    in_flight(view).filter_map(move |id| {
        let lanes = &view.graph().task(id).rules().lanes;
        let used = lanes.iter().find(|used| used.lane == lane)?;
        Some((id, used.weight))
    })
}

fn named(view: &RunView, ids: impl Iterator<Item = TaskId>) -> String {
    let ids: Vec<TaskId> = ids.collect();
    names(ids.iter().map(|&id| name(view, id)), ids.len())
}
