//! Why: formats an explanation as one short line.

use zeph_graph::{TaskGraph, TaskId, Timestamp};
use zeph_scheduler::{Explanation, Held};

use super::times::moment;
use super::words::ask_why;

/// An explanation as text.
pub(super) fn explanation(
    graph: &TaskGraph,
    start: Timestamp,
    explanation: &Explanation,
) -> String {
    let names = |tasks: &[TaskId]| {
        let names: Vec<&str> = tasks.iter().map(|&task| graph.task(task).name()).collect();
        names.join(", ")
    };
    let by = |deadline: &Option<Timestamp>| match deadline {
        Some(at) => format!(", until {}", moment(start, *at)),
        None => String::new(),
    };
    match explanation {
        Explanation::Parents { open, count } => {
            format!("waits for {count} of its parents: {}", names(open))
        }
        Explanation::Finally { open } => format!("runs at the end, {open} others are open"),
        Explanation::Held(held) => match held {
            Held::NoOwner => "the run has to be started or resumed".into(),
            Held::Paused => "the run is paused".into(),
            Held::Suspended => "the run is suspended".into(),
            Held::Slots { limit } => format!("all {limit} slots are taken"),
            Held::Lane {
                lane,
                used,
                capacity,
            } => {
                let name = &graph.lanes()[lane.index()].name;
                format!("lane {name} has {used} of {capacity} taken")
            }
            Held::Nothing => "starts with the next step".into(),
            _ => format!("{explanation:?}"),
        },
        Explanation::Running {
            attempt, deadline, ..
        } => format!("runs #{attempt}{}", by(deadline)),
        Explanation::BackingOff {
            until,
            attempt_counts,
            ..
        } => {
            let until = moment(start, *until);
            format!(
                "{} failures, next attempt at {until}",
                attempt_counts.failures
            )
        }
        Explanation::Asking { why, deadline, .. } => {
            format!("asks: {}{}", ask_why(*why), by(deadline))
        }
        Explanation::Canceling {
            attempt,
            why,
            deadline,
        } => format!("#{attempt} is stopping: {why}{}", by(deadline)),
        Explanation::Ended { state, because } => {
            format!("{}, because of {}", state.word(), names(because))
        }
        Explanation::FallingBack { to, why } => {
            format!("failed: {why}; {} runs in its place", names(&[*to]))
        }
        Explanation::Fallback { of } => format!("runs if {} fails", names(&[*of])),
        Explanation::Items(items) => format!(
            "{} of {} items are open, {} failed",
            items.open, items.total, items.failed
        ),
        Explanation::Preparing => "is being prepared".into(),
        _ => format!("{explanation:?}"),
    }
}
