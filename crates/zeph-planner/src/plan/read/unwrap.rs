//! Finds the plan in a value: in wrappers such as `{"plan": …}`, tool calls, lists of one, and JSON texts.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use zeph_llm::read_json;

use super::words::{self, PLAN, TASK, field_of, fold};

/// How deep a plan may be wrapped.
const MAX_DEPTH: usize = 6;

/// A plan in a value, with the place where it is.
#[derive(Clone, Debug)]
pub(super) struct Wrapped<'a> {
    /// An object with tasks, or the list of them.
    pub(super) plan: Cow<'a, Value>,
    /// A JSON pointer; empty if the value is the plan.
    pub(super) at: String,
}

/// The plans in a value, in no order; those with the same content once.
pub(super) fn plans(value: &Value) -> Vec<Wrapped<'_>> {
    let mut plans: Vec<Wrapped<'_>> = Vec::new();
    let mut open = vec![(Cow::Borrowed(value), String::new(), 0)];
    while let Some((value, at, depth)) = open.pop() {
        if has_tasks(&value) || is_task_list(&value) {
            if !plans.iter().any(|one| one.plan == value) {
                plans.push(Wrapped { plan: value, at });
            }
            continue;
        }
        if depth >= MAX_DEPTH {
            continue;
        }
        let mut add = |value, step: &str| open.push((value, format!("{at}/{step}"), depth + 1));
        match value {
            Cow::Borrowed(Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    add(Cow::Borrowed(item), &index.to_string());
                }
            }
            Cow::Borrowed(Value::Object(map)) => {
                for (key, value) in map {
                    add(Cow::Borrowed(value), key);
                }
            }
            Cow::Owned(Value::Array(items)) => {
                for (index, item) in items.into_iter().enumerate() {
                    add(Cow::Owned(item), &index.to_string());
                }
            }
            Cow::Owned(Value::Object(map)) => {
                for (key, value) in map {
                    add(Cow::Owned(value), &key);
                }
            }
            value @ (Cow::Borrowed(_) | Cow::Owned(_)) => {
                if let Some(inner) = value.as_str().and_then(from_text) {
                    open.push((Cow::Owned(inner), at, depth + 1));
                }
            }
        }
    }
    plans
}

/// Whether there is a plan in a value.
pub(super) fn has_plan(value: &Value) -> bool {
    !plans(value).is_empty()
}

/// The JSON value in a text that looks like one.
pub(super) fn from_text(text: &str) -> Option<Value> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) && !trimmed.starts_with("```") {
        return None;
    }
    Some(read_json(text, text.len(), has_tasks).ok()?.value)
}

/// The key of the tasks in an object. Under another word than `tasks` they must look like tasks.
pub(super) fn tasks_key(map: &Map<String, Value>) -> Option<&str> {
    let rank = |key: &str| {
        field_of(&PLAN, key)
            .filter(|(field, _)| *field == "tasks")
            .map(|one| one.1)
    };
    let keys = map.iter().filter_map(|(key, value)| {
        let rank = rank(key)?;
        let is_plain = rank == 0 && !value.is_null();
        (is_plain || is_task_list(value) || is_tasks_by_name(value) || is_text_of_tasks(value))
            .then_some((rank, key.as_str()))
    });
    keys.min().map(|(_, key)| key)
}

fn has_tasks(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|map| tasks_key(map).is_some())
}

fn is_text_of_tasks(value: &Value) -> bool {
    let inner = value.as_str().and_then(from_text);
    inner.is_some_and(|inner| is_task_list(&inner) || is_tasks_by_name(&inner))
}

fn is_task_list(value: &Value) -> bool {
    // The first ones are enough to tell a list of tasks from another list.
    const LOOKED_AT: usize = 50;
    let items = value.as_array().filter(|items| !items.is_empty());
    items.is_some_and(|items| {
        let mut items = items.iter().take(LOOKED_AT);
        items.all(|item| item.as_object().is_some_and(is_task))
    })
}

fn is_tasks_by_name(value: &Value) -> bool {
    let map = value
        .as_object()
        .filter(|map| !map.is_empty() && !is_task(map));
    map.is_some_and(|map| {
        map.values()
            .all(|task| task.as_object().is_some_and(is_nameless_task))
    })
}

/// Whether an object has a name, and work: a task, or a task in an object of its own.
pub(super) fn is_task(map: &Map<String, Value>) -> bool {
    let has_name = map.iter().any(|(key, value)| {
        let is_name = || field_of(&TASK, key).is_some_and(|(field, _)| field == "name");
        let is_word = || ["step", "task"].contains(&fold(key).as_str());
        (value.is_string() || value.is_number()) && (is_name() || is_word())
    });
    (has_name && is_nameless_task(map)) || in_object(map).is_some()
}

/// Whether an object has the work of a task.
fn is_nameless_task(map: &Map<String, Value>) -> bool {
    let has = |wanted: &str| {
        map.iter().any(|(key, value)| {
            let is_field = field_of(&TASK, key).is_some_and(|(field, _)| field == wanted);
            is_field && (value.is_string() || value.is_array())
        })
    };
    let is_plan = map.values().any(|value| {
        value.is_object()
            || value
                .as_str()
                .is_some_and(|text| from_text(text).is_some_and(|inner| has_tasks(&inner)))
    });
    (has("prompt") || has("command")) && (!is_plan || has("needs"))
}

/// The name and the task of an object that has nothing but a task in it: `{"read-log": {…}}`.
pub(super) fn in_object(map: &Map<String, Value>) -> Option<(&str, &Map<String, Value>)> {
    let (key, value) = map.iter().next().filter(|_| map.len() == 1)?;
    let inner = value.as_object().filter(|inner| is_nameless_task(inner))?;
    Some((key, inner))
}

/// Whether a key says "task" and is no name.
pub(super) fn is_task_word(key: &str) -> bool {
    ["task", "step", "subtask", "item", "node", "job"].contains(&fold(key).as_str())
}

/// The plan whose tasks are the objects of a text, one after the other: JSON lines. The first object may
/// have the reasoning only.
pub(super) fn from_lines(values: &[Value]) -> Option<Value> {
    let objects: Vec<&Map<String, Value>> =
        values.iter().map(Value::as_object).collect::<Option<_>>()?;
    let (first, rest) = objects.split_first()?;
    let reasoning = first.iter().find(|(key, _)| {
        words::field_of(&PLAN, key).is_some_and(|(field, _)| field == "reasoning")
    });
    let (reasoning, tasks) = match reasoning {
        Some((_, reasoning)) if !is_task(first) && !rest.is_empty() => (reasoning.clone(), rest),
        _ => (Value::Null, &*objects),
    };
    let is_plan = tasks.iter().all(|task| is_task(task));
    is_plan.then(|| json!({ "reasoning": reasoning, "tasks": tasks }))
}
