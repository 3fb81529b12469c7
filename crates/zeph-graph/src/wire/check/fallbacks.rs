//! Fallbacks of an untrusted graph: each has one user, no dependencies and no dependants.

use std::collections::{BTreeMap, HashMap};

use zeph_diagnostics::{Diagnostic, quote};

use super::super::{Diagnostics, GraphSpec, OnFailureSpec, TaskSpec, WorkSpec, code};
use super::of;
use crate::fallback::defect;
use crate::{TaskGraph, TaskId};

/// The fallback of each task by its position, without those that cannot be one, which are reported.
pub(super) fn check(
    spec: &GraphSpec,
    base: &TaskGraph,
    by_name: &HashMap<&str, u32>,
    needs: &[Vec<u32>],
    found: &mut Diagnostics,
) -> Vec<Option<u32>> {
    let mut users: BTreeMap<u32, u32> = BTreeMap::new();
    let mut fallbacks = vec![None; spec.tasks.len()];
    for (position, task) in (0..).zip(&spec.tasks) {
        let OnFailureSpec::Fallback { task: name } = &task.on_failure else {
            continue;
        };
        let at = by_name.get(name.as_str()).copied();
        let other = at.map(|at| &spec.tasks[at as usize]);
        let why = match other {
            _ if matches!(task.work, WorkSpec::Question(_)) => Some(defect::QUESTION),
            None if base.find(name).is_some() => Some(defect::KNOWN),
            None => {
                let (message, _) = words(task, name, defect::UNKNOWN);
                let names = spec.tasks.iter().map(|task| task.name.as_str());
                let near = found.suggest(name, names);
                found.push(of(task, code::BAD_FALLBACK, message).suggest(near));
                continue;
            }
            Some(other) if std::ptr::eq(other, task) => Some(defect::SELF),
            Some(other) if !other.needs.is_empty() => Some(defect::NEEDS),
            Some(other) if other.finally != task.finally => Some(defect::FINALLY),
            Some(_) if at.is_some_and(|at| users.contains_key(&at)) => Some(defect::TAKEN),
            Some(_) => None,
        };
        match (why, at) {
            (Some(why), _) => report(task, name, why, found),
            (None, Some(at)) => {
                users.insert(at, position);
                fallbacks[position as usize] = Some(at);
            }
            (None, None) => {}
        }
    }
    check_circles(spec, &mut fallbacks, found);
    check_dependants(spec, base, needs, &users, found);
    fallbacks
}

/// Reports fallbacks that run in place of each other, and breaks the circles.
fn check_circles(spec: &GraphSpec, fallbacks: &mut [Option<u32>], found: &mut Diagnostics) {
    // Each task has at most one fallback and one user, so a walk ends, meets a task of an earlier walk, or
    // returns to its start.
    let mut is_seen = vec![false; fallbacks.len()];
    for start in 0..fallbacks.len() {
        if is_seen[start] {
            continue;
        }
        let mut at = Some(start);
        while let Some(position) = at.filter(|&position| !is_seen[position]) {
            is_seen[position] = true;
            at = fallbacks[position].map(|next| next as usize);
        }
        if at == Some(start) {
            let task = &spec.tasks[start];
            if let OnFailureSpec::Fallback { task: name } = &task.on_failure {
                report(task, name, defect::CYCLE, found);
            }
            fallbacks[start] = None;
        }
    }
}

/// Reports each task that depends on a fallback.
fn check_dependants(
    spec: &GraphSpec,
    base: &TaskGraph,
    needs: &[Vec<u32>],
    users: &BTreeMap<u32, u32>,
    found: &mut Diagnostics,
) {
    let first = base.len() as u32;
    for (task, needs) in spec.tasks.iter().zip(needs) {
        for &need in needs {
            let (name, user) = match need.checked_sub(first) {
                Some(at) => {
                    let user = users.get(&at).map(|&user| &*spec.tasks[user as usize].name);
                    (spec.tasks[at as usize].name.as_str(), user)
                }
                None => {
                    let id = TaskId::from_index(need);
                    let user = base.fallback_of(id).map(|user| base.task(user).name());
                    (base.task(id).name(), user)
                }
            };
            if let Some(user) = user {
                let (name, user) = (quote(name), quote(user));
                let message = format!(
                    "task {} depends on {name}, which runs only if {user} fails",
                    quote(&task.name)
                );
                let help = format!("depend on {user}, whose result is then that of {name}");
                found.push(of(task, code::BAD_FALLBACK, message).help(help));
            }
        }
    }
}

fn report(task: &TaskSpec, fallback: &str, why: &'static str, found: &mut Diagnostics) {
    let (message, help) = words(task, fallback, why);
    let one: Diagnostic = of(task, code::BAD_FALLBACK, message);
    found.push(match help {
        Some(help) => one.help(help),
        None => one,
    });
}

fn words(task: &TaskSpec, fallback: &str, why: &'static str) -> (String, Option<&'static str>) {
    let message = format!(
        "{} cannot run in place of task {}: {why}",
        quote(fallback),
        quote(&task.name)
    );
    let help = match why {
        defect::NEEDS => Some("leave out what it depends on"),
        defect::FINALLY => Some("write `finally = true` for both, or for neither"),
        defect::TAKEN => Some("give each task a fallback of its own"),
        _ => None,
    };
    (message, help)
}
