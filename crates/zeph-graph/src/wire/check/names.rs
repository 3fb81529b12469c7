//! Checks of the names in an untrusted graph: each is unique and safe to show.

use std::collections::{HashMap, HashSet};

use zeph_diagnostics::quote;

use super::super::{Diagnostic, Diagnostics, code};
use super::{GraphSpec, Origin, of};
use crate::picture::is_invisible;
use crate::{Lane, MAX_NAME_BYTES, TaskGraph};

/// Checks the names and capacities of the lanes. A patch may not declare lanes.
pub(super) fn check_lanes(
    spec: &GraphSpec,
    is_patch: bool,
    origin: Origin,
    found: &mut Diagnostics,
) {
    if is_patch && let Some(lane) = spec.lanes.first() {
        let message = format!("the patch declares lane {}", quote(&lane.name));
        let one = Diagnostic::new(code::LANE_IN_PATCH, message);
        found.push(one.help("use the lanes that the graph has, by name"));
    }
    let mut seen = HashSet::new();
    for lane in &spec.lanes {
        if let Some(what) = bad_name(&lane.name, origin) {
            let message = format!("{} cannot be the name of a lane: {what}", quote(&lane.name));
            found.push(Diagnostic::new(code::BAD_NAME, message));
        }
        if !seen.insert(lane.name.as_str()) {
            let message = format!("lane {} is declared twice", quote(&lane.name));
            found.push(Diagnostic::new(code::DUPLICATE_LANE, message));
        }
        if lane.shared && lane.capacity > Lane::MAX_SHARED {
            let message = format!(
                "the shared lane {} has {} units",
                quote(&lane.name),
                lane.capacity
            );
            let one = Diagnostic::new(code::SHARED_LANE, message);
            found.push(one.help(format!("it may have 1 to {}", Lane::MAX_SHARED)));
        }
        if lane.capacity == 0 {
            let message = format!(
                "lane {} has capacity 0: nothing could ever run in it",
                quote(&lane.name)
            );
            found.push(Diagnostic::new(code::ZERO_CAPACITY, message));
        }
    }
}

/// Checks the names of the tasks, and returns the position of each name; of two equal names, the first.
pub(super) fn check_tasks<'a>(
    spec: &'a GraphSpec,
    base: &TaskGraph,
    removed: &HashSet<&str>,
    origin: Origin,
    found: &mut Diagnostics,
) -> HashMap<&'a str, u32> {
    let mut by_name: HashMap<&str, u32> = HashMap::with_capacity(spec.tasks.len());
    let mut by_folded: HashMap<String, &str> = HashMap::new();
    for (position, task) in (0..).zip(&spec.tasks) {
        let name = task.name.as_str();
        if let Some(what) = bad_name(name, origin) {
            let message = format!("{} cannot be the name of a task: {what}", quote(name));
            found.push(of(task, code::BAD_NAME, message));
        }
        let is_taken = base.find(name).is_some() && !removed.contains(name);
        if by_name.contains_key(name) || is_taken {
            let message = if by_name.contains_key(name) {
                format!("there are two tasks named {}", quote(name))
            } else {
                format!("there is a task named {} already", quote(name))
            };
            found.push(of(task, code::DUPLICATE_NAME, message).help("rename one of them"));
            continue;
        }
        by_name.insert(name, position);
        if origin == Origin::Store {
            continue;
        }
        let folded = name.to_lowercase();
        let other = base.find_folded(&folded);
        let other = other.filter(|other| !removed.contains(other));
        if let Some(other) = by_folded.insert(folded, name).or(other) {
            let message = format!(
                "the names {} and {} differ only in case",
                quote(other),
                quote(name)
            );
            found.push(of(task, code::CASE_FOLDED_DUPLICATE, message).help("rename one of them"));
        }
    }
    by_name
}

/// Why a text is not a valid name.
fn bad_name(name: &str, origin: Origin) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > MAX_NAME_BYTES {
        return Some("it has more than 200 bytes");
    }
    if name.chars().any(char::is_control) {
        return Some("it has control characters");
    }
    if origin == Origin::Store {
        return None;
    }
    if name.trim() != name {
        return Some("it begins or ends with a space");
    }
    if name.contains(['/', '\\']) {
        return Some("it has path separators");
    }
    if name == "." || name == ".." {
        return Some("it is the name of a folder in every path");
    }
    if name.contains(['<', '>']) {
        return Some("it has markup characters");
    }
    if name.chars().any(is_invisible) {
        return Some("it has characters that are invisible or change the direction of text");
    }
    None
}
