//! Why a ready task has not started, in words.

use zeph_graph::TaskId;
use zeph_runtime::RunView;
use zeph_scheduler::Held;

use super::{Reason, name};
use crate::context::command;
use crate::read::page::names;

/// Why a ready task has not started. Only a process that owns the run starts tasks.
pub(crate) fn held(view: &RunView, owner: Option<&str>, task: TaskId) -> Held {
    let held = view.scheduler.held_if_active(task);
    if owner.is_none() && held != Held::Suspended {
        return Held::NoOwner;
    }
    held
}

/// The reason in words, as the end of "ready, …".
pub(crate) fn held_words(view: &RunView, held: Held) -> String {
    describe(view, held).1
}

pub(super) fn reason(view: &RunView, owner: Option<&str>, task: TaskId) -> Reason {
    let (code, words, next) = describe(view, held(view, owner, task));
    let text = format!("It is ready, {words}.").replace("ready, and", "ready and");
    let next = next.map(|next| command(&[next, view.run.as_str()]));
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
