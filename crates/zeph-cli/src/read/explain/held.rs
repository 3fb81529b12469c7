//! Why a ready task has not started, in words.

use zeph_graph::TaskId;
use zeph_runtime::RunView;
use zeph_scheduler::Held;

use super::Reason;
use super::words::name;
use crate::read::owner::Owner;
use crate::read::page::names;

/// Why a ready task has not started. Only a process that owns the run starts tasks.
pub(crate) fn held(view: &RunView, owner: &Owner, task: TaskId) -> Held {
    let held = view.scheduler.held_if_active(task);
    if owner.is_none() && held != Held::Suspended {
        return Held::NoOwner;
    }
    held
}

/// The reason in words, as the end of "ready, …".
pub(crate) fn held_words(view: &RunView, held: Held) -> String {
    match held {
        Held::NoOwner => "but no process works on the run".into(),
        Held::Paused => "but the run is paused".into(),
        Held::Suspended => "but the run is suspended".into(),
        Held::Slots { limit } => {
            let slots = match limit {
                1 => "the one slot is".to_owned(),
                limit => format!("all {limit} slots are"),
            };
            format!(
                "but {slots} taken, by {}",
                named(view, view.scheduler.in_flight())
            )
        }
        Held::Lane {
            lane,
            used,
            capacity,
        } => format!(
            "but lane {} has no room: {used} of {capacity} taken, by {}",
            view.graph().lanes()[lane.index()].name,
            named(view, view.scheduler.in_lane(lane))
        ),
        Held::Nothing => "and starts as soon as its process has a free slot".into(),
        _ => "but something holds it back".into(),
    }
}

pub(super) fn reason(view: &RunView, owner: &Owner, task: TaskId) -> Reason {
    let run = &view.run;
    let held = held(view, owner, task);
    let (code, next) = match held {
        Held::NoOwner => ("no_owner", Some(format!("zeph resume {run}"))),
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

fn named(view: &RunView, ids: impl Iterator<Item = TaskId>) -> String {
    let ids: Vec<TaskId> = ids.collect();
    names(ids.iter().map(|&id| name(view, id)), ids.len())
}
