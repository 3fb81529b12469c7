//! Why a ready task has not started, in words.

use zeph_graph::{LaneId, TaskId};
use zeph_runtime::RunView;
use zeph_scheduler::Held;

use super::{Reason, name};
use crate::context::command;
use crate::read::outside::{GroupWait, Outside, SharedLane};
use crate::read::page::names;

/// Why a ready task has not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// For a reason of its own run.
    Here(Held),
    /// The run waits for another one of its group.
    Group,
    /// All slots of its shared lane are used, by runs of any process, or another run is next.
    SharedLane(LaneId),
}

/// Why a ready task has not started. Only a process that owns the run starts tasks.
pub(crate) fn blocked(view: &RunView, outside: &Outside, task: TaskId) -> Blocked {
    if outside.waits.is_some() {
        return Blocked::Group;
    }
    let held = view.scheduler.held_if_active(task);
    if outside.owner.is_none() && held != Held::Suspended {
        return Blocked::Here(Held::NoOwner);
    }
    let used = &view.graph().task(task).rules().lanes;
    let is_of_task = |lane: &&SharedLane| used.iter().any(|used| used.lane == lane.id);
    let taken = outside
        .lanes
        .iter()
        .find(|lane| lane.is_taken() && is_of_task(lane));
    match taken {
        Some(lane) if held == Held::Nothing => Blocked::SharedLane(lane.id),
        Some(_) | None => Blocked::Here(held),
    }
}

/// `but it waits for a slot of the shared lane gpu (2 of 2 used by runs a, b)`.
fn shared_lane_words(view: &RunView, outside: &Outside, id: LaneId) -> String {
    let name = zeph_common::escape_terminal(&view.graph().lanes()[id.index()].name);
    let used = outside.lanes.iter().find(|lane| lane.id == id);
    let used = used.map_or_else(String::new, |lane| format!(" ({})", lane.words()));
    format!("but it waits for a slot of the shared lane {name}{used}")
}

/// The reason in words, as the end of "ready, …".
pub(crate) fn blocked_words(view: &RunView, outside: &Outside, blocked: Blocked) -> String {
    match (blocked, &outside.waits) {
        (Blocked::Group, Some(wait)) => format!("but the run {}", wait.words()),
        (Blocked::Group, None) => "but the run waits for its group".to_owned(),
        (Blocked::SharedLane(lane), _) => shared_lane_words(view, outside, lane),
        (Blocked::Here(held), _) => describe(view, held).1,
    }
}

pub(super) fn reason(view: &RunView, outside: &Outside, task: TaskId) -> Reason {
    let blocked = blocked(view, outside, task);
    let words = blocked_words(view, outside, blocked);
    let text = format!("It is ready, {words}.").replace("ready, and", "ready and");
    let (code, next) = match (blocked, &outside.waits) {
        (Blocked::Here(held), _) => {
            let (code, _, next) = describe(view, held);
            (code, next.map(|next| command(&[next, view.run.as_str()])))
        }
        (Blocked::Group, wait) => {
            let status = |wait: &GroupWait| command(&["status", &wait.holder]);
            ("group", wait.as_ref().map(status))
        }
        (Blocked::SharedLane(id), _) => {
            let lane = outside.lanes.iter().find(|lane| lane.id == id);
            let run = lane.and_then(SharedLane::because);
            ("shared_lane", run.map(|run| command(&["status", run])))
        }
    };
    Reason::new(code, text).next(next)
}

/// The code for programs, the words, and the command that helps.
fn describe(view: &RunView, held: Held) -> (&'static str, String, Option<&'static str>) {
    let named = |ids: Vec<TaskId>| names(ids.iter().map(|&id| name(view, id)), ids.len());
    match held {
        Held::NoOwner => {
            let text = "but no process works on the run".into();
            ("no_owner", text, Some("resume"))
        }
        Held::Paused => ("paused", "but the run is paused".into(), Some("unpause")),
        Held::Suspended => {
            let text = "but the run is suspended".into();
            ("suspended", text, Some("resume"))
        }
        Held::Slots { limit } => {
            let slots = match limit {
                1 => "the one slot is".to_owned(),
                limit => format!("all {limit} slots are"),
            };
            let by = named(view.scheduler.in_flight().collect());
            ("slots", format!("but {slots} taken, by {by}"), None)
        }
        Held::Lane {
            lane,
            used,
            capacity,
        } => {
            let by = named(view.scheduler.in_lane(lane).collect());
            let lane = &view.graph().lanes()[lane.index()].name;
            let text = format!("but lane {lane} has no room: {used} of {capacity} taken, by {by}");
            ("lane", text, None)
        }
        Held::Nothing => {
            let text = "and starts as soon as its process has a free slot".into();
            ("ready", text, None)
        }
        _ => ("held", "but something holds it back".into(), None),
    }
}
