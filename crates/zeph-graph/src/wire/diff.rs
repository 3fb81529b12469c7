//! The differences between two graphs, as sentences.

use super::{GraphSpec, LaneSpec, TaskSpec};
use crate::TaskGraph;

/// The differences of `after` from `before`, one sentence each; empty if a run of one graph can continue
/// with the other.
///
/// The comparison covers everything that a scheduler reads: lanes, tasks with their dependencies, work and
/// rules, and the order of the tasks, because journals refer to tasks by position. Metadata and the order
/// of lanes are ignored. Names are quoted and escaped.
///
/// # Examples
/// ```
/// use zeph_graph::{TaskGraph, wire};
/// let mut before = TaskGraph::new();
/// let fetch = before.add_task("fetch", []);
/// let mut after = before.clone();
/// after.add_task("save", [fetch]);
/// assert_eq!(wire::diff(&before, &after), [r#"task "save" is new"#]);
/// ```
#[must_use]
pub fn diff(before: &TaskGraph, after: &TaskGraph) -> Vec<String> {
    let mut found = Vec::new();
    let old = GraphSpec::from(before);
    let new = GraphSpec::from(after);
    diff_lanes(&old.lanes, &new.lanes, &mut found);
    for task in &old.tasks {
        match after.find(&task.name) {
            Some(id) => diff_task(task, &new.tasks[id.index()], &mut found),
            None => found.push(format!("task {:?} is gone", task.name)),
        }
    }
    for task in &new.tasks {
        if before.find(&task.name).is_none() {
            found.push(format!("task {:?} is new", task.name));
        }
    }
    let common_old = (old.tasks.iter()).filter(|task| after.find(&task.name).is_some());
    let common_new = (new.tasks.iter()).filter(|task| before.find(&task.name).is_some());
    let moved = common_old
        .zip(common_new)
        .find(|(old, new)| old.name != new.name);
    if let Some((old, new)) = moved {
        found.push(format!(
            "the tasks are in another order: {:?} now comes before {:?}",
            new.name, old.name
        ));
    }
    found
}

fn diff_lanes(old: &[LaneSpec], new: &[LaneSpec], found: &mut Vec<String>) {
    let shared_in =
        |lanes: &[LaneSpec], name: &str| lanes.iter().any(|lane| lane.name == name && lane.shared);
    let capacity_of = |lanes: &[LaneSpec], name: &str| {
        let lane = lanes.iter().find(|lane| lane.name == name);
        lane.map(|lane| lane.capacity)
    };
    for lane in old {
        match capacity_of(new, &lane.name) {
            None => found.push(format!("lane {:?} is gone", lane.name)),
            Some(capacity) if capacity != lane.capacity => found.push(format!(
                "lane {:?} has capacity {capacity} instead of {}",
                lane.name, lane.capacity
            )),
            Some(_) => {}
        }
    }
    for lane in old {
        if shared_in(new, &lane.name) != lane.shared && capacity_of(new, &lane.name).is_some() {
            let is = if lane.shared {
                "is not shared any more"
            } else {
                "is shared now"
            };
            found.push(format!("lane {:?} {is}", lane.name));
        }
    }
    for lane in new {
        if capacity_of(old, &lane.name).is_none() {
            found.push(format!("lane {:?} is new", lane.name));
        }
    }
}

/// The keys of a task in JSON that are compared, other than `name` and `needs`, each with its words.
const COMPARED_KEYS: [(&str, &str); 16] = [
    ("work", "its work"),
    ("trigger", "its trigger"),
    ("finally", "whether it runs at the end"),
    ("prepare", "how it is prepared"),
    ("foreach", "its items"),
    ("retry", "its retries"),
    ("on_failure", "what happens when it fails"),
    ("attempt_timeout_us", "its attempt time-out"),
    ("idle_timeout_us", "its idle time-out"),
    ("task_timeout_us", "its task time-out"),
    ("effect", "its effect class"),
    ("lanes", "its lanes"),
    ("priority", "its priority"),
    ("approve", "its approval"),
    ("hint_us", "its duration hint"),
    ("budget", "its budget"),
];

/// Compares the JSON forms, because durations in a stored graph are rounded to microseconds.
fn diff_task(old: &TaskSpec, new: &TaskSpec, found: &mut Vec<String>) {
    let json = |task| serde_json::to_value(task).unwrap_or_default();
    let (before, after) = (json(old), json(new));
    let mut changed: Vec<String> = (COMPARED_KEYS.iter())
        .filter(|(key, _)| before.get(key) != after.get(key))
        .map(|(_, words)| (*words).to_owned())
        .collect();
    if old.needs != new.needs {
        changed.push(needs_difference(&old.needs, &new.needs));
    }
    if !changed.is_empty() {
        found.push(format!(
            "task {:?} differs: {}",
            old.name,
            changed.join(", ")
        ));
    }
}

fn needs_difference(old: &[String], new: &[String]) -> String {
    let missing = |from: &[String], to: &[String]| {
        let missing = from.iter().filter(|name| !to.contains(name));
        let quoted: Vec<String> = missing.map(|name| format!("{name:?}")).collect();
        quoted.join(", ")
    };
    let gone = missing(old, new);
    let added = missing(new, old);
    match (gone.is_empty(), added.is_empty()) {
        (true, true) => "the order of what it needs".to_owned(),
        (true, false) => format!("it needs {added} as well"),
        (false, true) => format!("it no longer needs {gone}"),
        (false, false) => format!("it needs {added} instead of {gone}"),
    }
}
