//! Finds the plan in a value: in wrappers such as `{"plan": …}`, tool calls, lists of one, and JSON texts.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use zeph_llm::{Tolerated, read_json};

use super::words::{self, PLAN, TASK, field_of, fold, is_one_of};

/// How deep a plan may be wrapped.
const MAX_DEPTH: usize = 6;

/// Keys under which a plan is the plan and nothing else.
const WRAPPERS: &str = "plan plans task_plan execution_plan action_plan project_plan final_plan new_plan create_plan make_plan \
     plan_json json workflow response responses result results output outputs structured_output data answer \
     final_answer final reply content contents message messages text arguments args parameters params input \
     tool_input action_input function function_call tool_call tool_calls tool_use call calls choices delta value \
     body payload root object proposal parsed submit_plan propose_plan";
/// Wrappers of the arguments of a call.
const CALLS: &str = "arguments args parameters params input tool_input action_input";

/// A plan in a value, with the places where it is.
#[derive(Clone, Debug)]
pub(super) struct Wrapped<'a> {
    /// An object with tasks, or the list of them.
    pub(super) plan: Cow<'a, Value>,
    /// JSON pointers, at least one; empty if the value is the plan. A JSON text is no step.
    pub(super) at: Vec<String>,
}

/// What stands around a plan.
#[derive(Clone, Debug)]
pub(super) enum Beside {
    /// The plan is under a key that is no wrapper.
    Wrapper { key: String, at: String },
    /// The plan is in a list or a text with something else.
    Item { at: String },
    /// A key beside the plan; `is_call` if the plan is the argument of a call.
    Key {
        at: String,
        key: String,
        value: Value,
        is_call: bool,
    },
}

/// The plans in a value, in no order; those with the same content once.
pub(super) fn plans(value: &Value) -> Vec<Wrapped<'_>> {
    let mut plans: Vec<Wrapped<'_>> = Vec::new();
    let mut open = vec![(Cow::Borrowed(value), String::new(), 0)];
    while let Some((value, at, depth)) = open.pop() {
        if has_tasks(&value) || is_task_list(&value) {
            match plans.iter_mut().find(|one| one.plan == value) {
                Some(same) => same.at.push(at),
                None => plans.push(Wrapped {
                    plan: value,
                    at: vec![at],
                }),
            }
            continue;
        }
        if depth >= MAX_DEPTH {
            continue;
        }
        let mut add = |value, step: &str| open.push((value, below(&at, step), depth + 1));
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
                for inner in value.as_str().map(values_in).unwrap_or_default() {
                    open.push((Cow::Owned(inner), at.clone(), depth + 1));
                }
            }
        }
    }
    plans
}

fn below(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// What stands around a plan at a place of a value. Another plan is not a part of it.
pub(super) fn beside(value: &Value, place: &str) -> Vec<Beside> {
    let (mut found, mut at) = (Vec::new(), String::new());
    let mut value = Cow::Borrowed(value);
    let mut is_last_call = false;
    for step in place.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        value = unpacked(value, &at, &mut found);
        let inner = match &*value {
            Value::Array(items) => {
                let index: usize = step.parse().unwrap_or_default();
                let others = items
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != index);
                for (other, item) in others.filter(|(_, item)| !has_plan(item)) {
                    match item {
                        // As prose around a plan.
                        Value::Null | Value::String(_) => {}
                        Value::Object(map) => {
                            let keys = map.iter().map(|(key, value)| Beside::Key {
                                at: below(&at, &other.to_string()),
                                key: key.clone(),
                                value: value.clone(),
                                is_call: false,
                            });
                            found.extend(keys);
                        }
                        Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                            found.push(Beside::Item { at: at.clone() });
                        }
                    }
                }
                items.get(index).cloned()
            }
            Value::Object(map) => {
                let folded = fold(&step);
                let is_call = is_one_of(CALLS, &folded);
                if !is_one_of(WRAPPERS, &folded) {
                    let (key, at) = (step.clone(), below(&at, &step));
                    found.push(Beside::Wrapper { key, at });
                }
                let others = map
                    .iter()
                    .filter(|(key, value)| **key != step && !has_plan(value));
                let keys = others.map(|(key, value)| Beside::Key {
                    at: at.clone(),
                    key: key.clone(),
                    value: value.clone(),
                    is_call: is_call || is_last_call,
                });
                found.extend(keys);
                is_last_call = is_call;
                map.get(&step).cloned()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        let Some(inner) = inner else {
            break;
        };
        at = below(&at, &step);
        value = Cow::Owned(inner);
    }
    unpacked(value, &at, &mut found);
    found
}

/// The value in a JSON text, in a text of it, and so on. Reports what may be tasks beside it.
fn unpacked<'a>(value: Cow<'a, Value>, at: &str, found: &mut Vec<Beside>) -> Cow<'a, Value> {
    let mut value = value;
    for _ in 0..MAX_DEPTH {
        let mut inner = value.as_str().map(values_in).unwrap_or_default();
        if inner.len() > 1 && !has_plan(&inner[1]) {
            found.push(Beside::Item { at: at.to_owned() });
        }
        match inner.is_empty() {
            true => break,
            false => value = Cow::Owned(inner.swap_remove(0)),
        }
    }
    value
}

/// Whether there is a plan in a value.
pub(super) fn has_plan(value: &Value) -> bool {
    !plans(value).is_empty()
}

/// The JSON value in a text that looks like one; `None` if it has several that may be tasks.
pub(super) fn from_text(text: &str) -> Option<Value> {
    let mut values = values_in(text);
    let value = values.pop();
    value.filter(|_| values.is_empty())
}

/// The JSON value in a text that looks like one, and another one that may be tasks as well.
fn values_in(text: &str) -> Vec<Value> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) && !trimmed.starts_with("```") {
        return Vec::new();
    }
    let Ok(first) = read_json(text, text.len(), has_tasks) else {
        return Vec::new();
    };
    let mut values = vec![first.value];
    if is_one_of_several(&first.tolerated) {
        let is_another = |value: &Value| *value != values[0] && may_be_tasks(value);
        let another = read_json(text, text.len(), is_another).map(|read| read.value);
        values.extend(another.ok().filter(is_another));
    }
    values
}

/// Whether a text has further values.
pub(super) fn is_one_of_several(tolerated: &[Tolerated]) -> bool {
    let is_other = |one: &Tolerated| matches!(one, Tolerated::Others { .. });
    tolerated.iter().any(is_other)
}

/// Whether a value has tasks, is one, or has a field of one, so that it says something about a plan.
pub(super) fn may_be_tasks(value: &Value) -> bool {
    let has_field = |map: &Map<String, Value>| {
        map.iter().any(|(key, value)| {
            let is_field = field_of(&TASK, key).is_some() || field_of(&PLAN, key).is_some();
            is_field && !value.is_null()
        })
    };
    match value {
        Value::Object(map) => has_field(map),
        Value::Array(items) => {
            let mut maps = items.iter().filter_map(Value::as_object);
            maps.any(has_field)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
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

/// Whether a value is a text with a list of tasks in it.
pub(super) fn is_text_of_tasks(value: &Value) -> bool {
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
    let has_reasoning = first
        .keys()
        .any(|key| words::field_of(&PLAN, key).is_some_and(|(field, _)| field == "reasoning"));
    // Its other keys are those of the plan.
    let (mut plan, tasks) = match has_reasoning && !is_task(first) && !rest.is_empty() {
        true => ((*first).clone(), rest),
        false => (Map::new(), &*objects),
    };
    let is_plan = tasks.iter().all(|task| is_task(task));
    plan.insert("tasks".to_owned(), json!(tasks));
    is_plan.then_some(Value::Object(plan))
}
