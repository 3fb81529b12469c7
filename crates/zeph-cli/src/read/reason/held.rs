//! What holds a ready task back. A stored run does not know whether somebody works on it.

use zeph_graph::{LaneId, RunState, TaskId, TaskState};
use zeph_runtime::RunView;
use zeph_scheduler::Held;

use super::Reason;
use super::words::name;
use crate::read::owner::Owner;
use crate::read::page::names;

/// How much room a run has, and whether a living process uses it. Counted once for all its tasks.
pub(crate) struct Room<'a> {
    view: &'a RunView,
    is_owned: bool,
    /// Occupied units of each lane.
    used: Vec<u32>,
}

impl<'a> Room<'a> {
    pub(crate) fn of(view: &'a RunView, owner: &Owner) -> Self {
        let mut used = vec![0u32; view.graph().lanes().len()];
        for id in in_flight(view) {
            for lane in &view.graph().task(id).rules().lanes {
                used[lane.lane.index()] += lane.weight;
            }
        }
        Self {
            view,
            is_owned: !owner.is_nobody(),
            used,
        }
    }

    /// What holds that task back.
    pub(crate) fn held(&self, task: TaskId) -> Held {
        let view = self.view;
        if let RunState::Suspending | RunState::Suspended = view.scheduler.state() {
            return Held::Suspended;
        }
        if !self.is_owned {
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
            let used = self.used[wanted.lane.index()];
            (used.saturating_add(wanted.weight) > capacity).then_some(Held::Lane {
                lane: wanted.lane,
                used,
                capacity,
            })
        });
        full.unwrap_or(Held::Nothing)
    }
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
            named(view, in_lane(view, lane))
        ),
        Held::Nothing => "and starts as soon as its process has a free slot".into(),
        _ => "but something holds it back".into(),
    }
}

pub(super) fn reason(view: &RunView, owner: &Owner, task: TaskId) -> Reason {
    let run = &view.run;
    let held = Room::of(view, owner).held(task);
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

fn in_lane(view: &RunView, lane: LaneId) -> impl Iterator<Item = TaskId> + '_ {
    let uses = move |id: &TaskId| {
        let lanes = &view.graph().task(*id).rules().lanes;
        lanes.iter().any(|used| used.lane == lane)
    };
    in_flight(view).filter(uses)
}

fn named(view: &RunView, ids: impl Iterator<Item = TaskId>) -> String {
    let ids: Vec<TaskId> = ids.collect();
    names(ids.iter().map(|&id| name(view, id)), ids.len())
}
