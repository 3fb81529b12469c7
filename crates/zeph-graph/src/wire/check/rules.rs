//! Rules of tasks from outside: times, lanes, questions and their defaults.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use zeph_diagnostics::quote;

use super::super::forms::to_micros;
use super::super::{Diagnostics, code};
use super::super::{GraphSpec, OnFailureSpec, QuestionSpec, TaskSpec, WorkSpec};
use super::{Origin, of};
use crate::{AnswerKind, TaskGraph};

/// Checks the rules of all tasks.
pub(super) fn check(spec: &GraphSpec, base: &TaskGraph, origin: Origin, found: &mut Diagnostics) {
    let there = (base.lanes().iter()).map(|lane| (&*lane.name, lane.capacity));
    let declared = (spec.lanes.iter()).map(|lane| (lane.name.as_str(), lane.capacity));
    let all = there.chain(declared);
    let lanes = all.collect();
    let there = (base.lanes().iter()).filter_map(|lane| lane.shared.then_some(&*lane.name));
    let declared = (spec.lanes.iter()).filter_map(|lane| lane.shared.then_some(&*lane.name));
    let shared: HashSet<&str> = there.chain(declared).collect();
    for task in &spec.tasks {
        check_times(task, found);
        check_lanes(task, &lanes, found);
        check_shared_lanes(task, &shared, found);
        check_foreach(task, found);
        if origin == Origin::Outside {
            check_retry(task, found);
            if let WorkSpec::Question(asked) = &task.work {
                check_question(task, asked, found);
            }
        }
    }
}

fn check_times(task: &TaskSpec, found: &mut Diagnostics) {
    let ask = match &task.on_failure {
        OnFailureSpec::Ask { default } => default.map(|default| default.after_us),
        OnFailureSpec::Abort {}
        | OnFailureSpec::Skip {}
        | OnFailureSpec::Value { .. }
        | OnFailureSpec::Fallback { .. } => None,
    };
    let question = match &task.work {
        WorkSpec::Question(question) => question.default.as_ref().map(|it| it.after_us),
        WorkSpec::Milestone {} | WorkSpec::Action { .. } => None,
    };
    let approval = task.approve.as_ref().and_then(|approve| approve.fallback);
    let all = [
        ("the attempt time-out", task.attempt_timeout_us),
        ("the idle time-out", task.idle_timeout_us),
        ("the task time-out", task.task_timeout_us),
        ("the wait for an answer to a failure", ask),
        ("the wait for an answer", question),
        (
            "the wait for an approval",
            approval.map(|(wait, _)| to_micros(wait)),
        ),
    ];
    for (what, _) in all.into_iter().filter(|(_, limit)| *limit == Some(0)) {
        let message = format!("task {}: {what} is zero", quote(&task.name));
        found.push(of(task, code::ZERO_TIMEOUT, message).help("leave it out for no limit"));
    }
}

fn check_foreach(task: &TaskSpec, found: &mut Diagnostics) {
    let is_action = matches!(task.work, WorkSpec::Action { .. });
    let asks = matches!(task.on_failure, OnFailureSpec::Ask { .. });
    let why = (task.foreach).and_then(|foreach| foreach.defect(is_action, asks));
    if let Some(why) = why {
        let message = format!(
            "task {} cannot run for each item of a list: {why}",
            quote(&task.name)
        );
        found.push(of(task, code::BAD_FOREACH, message));
    }
}

fn check_retry(task: &TaskSpec, found: &mut Diagnostics) {
    let retry = &task.retry;
    if retry.cap < retry.base {
        let message = format!(
            "task {}: the longest wait before a retry ({} µs) is below the shortest ({} µs)",
            quote(&task.name),
            retry.cap.as_micros(),
            retry.base.as_micros()
        );
        found.push(of(task, code::RETRY_CAP_BELOW_BASE, message));
    }
}

fn check_lanes(task: &TaskSpec, lanes: &HashMap<&str, u32>, found: &mut Diagnostics) {
    let mut seen = HashSet::new();
    for used in &task.lanes {
        if !seen.insert(used.lane.as_str()) {
            let message = format!(
                "task {} lists lane {} twice",
                quote(&task.name),
                quote(&used.lane)
            );
            found.push(of(task, code::DUPLICATE_LANE, message).help("give it a weight instead"));
        }
        let Some(&capacity) = lanes.get(used.lane.as_str()) else {
            let message = format!(
                "task {} names lane {}, which does not exist",
                quote(&task.name),
                quote(&used.lane)
            );
            let near = found.suggest(&used.lane, lanes.keys().copied());
            found.push(of(task, code::UNKNOWN_LANE, message).suggest(near));
            continue;
        };
        // A lane without capacity is reported once, not at each of its tasks.
        if used.weight == 0 || (used.weight > capacity && capacity > 0) {
            let message = format!(
                "task {} weighs {} in lane {}, whose capacity is {capacity}",
                quote(&task.name),
                used.weight,
                quote(&used.lane)
            );
            found.push(of(task, code::BAD_WEIGHT, message));
        }
    }
}

/// A task in two shared lanes, or with a weight in one, could wait for another run that waits for it.
fn check_shared_lanes(task: &TaskSpec, shared: &HashSet<&str>, found: &mut Diagnostics) {
    let mut used = task
        .lanes
        .iter()
        .filter(|used| shared.contains(&*used.lane));
    let Some(first) = used.next() else {
        return;
    };
    let name = quote(&task.name);
    if let Some(second) = used.find(|used| used.lane != first.lane) {
        let (first, second) = (quote(&first.lane), quote(&second.lane));
        let message = format!("task {name} is in two shared lanes, {first} and {second}");
        found.push(of(task, code::SHARED_LANE, message).help("a task may be in one of them"));
    } else if first.weight > 1 {
        let (lane, weight) = (quote(&first.lane), first.weight);
        let message = format!("task {name} weighs {weight} in the shared lane {lane}");
        found.push(of(task, code::SHARED_LANE, message).help("its weight there is always 1"));
    }
}

fn check_question(task: &TaskSpec, asked: &QuestionSpec, found: &mut Diagnostics) {
    if let AnswerKind::Choice { choices } = &asked.answer {
        let mut seen = HashSet::new();
        let repeated = choices.iter().find(|choice| !seen.insert(choice.trim()));
        let what = match repeated {
            Some(choice) => Some(format!("has the choice {} twice", quote(choice))),
            None if choices.is_empty() => Some("has no choices".to_owned()),
            None if seen.contains("") => Some("has an empty choice".to_owned()),
            None => None,
        };
        if let Some(what) = what {
            let message = format!("the question of task {} {what}", quote(&task.name));
            found.push(of(task, code::BAD_CHOICES, message));
        }
    }
    if let Some(default) = &asked.default
        && !crate::Question::from(asked.clone()).accepts(&default.value)
    {
        let wanted = match &asked.answer {
            AnswerKind::Text => "a text",
            AnswerKind::Number => "a number",
            AnswerKind::YesNo => "true or false",
            AnswerKind::Choice { .. } => "one of its choices",
        };
        let message = format!(
            "the default answer of task {} is {}, and the question wants {wanted}",
            quote(&task.name),
            shown(&default.value)
        );
        found.push(of(task, code::BAD_DEFAULT, message));
    }
}

/// A short form of a value, for messages.
fn shown(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quote(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
