//! The keys of an object: sorted into fields, under their own names, and others.

use serde_json::{Map, Value};
use zeph_diagnostics::quote;

use super::instruction::Part;
use super::words::{TASK, Table, field_of, fold};
use crate::plan::finding::{Findings, code, repair};

/// The longest text that may be a name where it could also be a prompt, in bytes.
const MAX_NAME_BYTES: usize = 80;

/// The fields of an object under their own names, and its other keys.
pub(super) struct Known {
    pub(super) fields: Map<String, Value>,
    /// Other texts by which a task is known: its id, its title.
    pub(super) labels: Vec<String>,
    /// The values under words for a prompt of a task, in the order of the object.
    pub(super) prompts: Vec<Part>,
    pub(super) others: Vec<Extra>,
}

/// A key that is no field.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    pub(super) key: String,
    pub(super) value: Value,
    /// Whether it repeats a field that the object has in a better form.
    pub(super) is_spare: bool,
    /// Whether its value was read: as the name, or as a part of the instruction.
    pub(super) is_read: bool,
}

/// Sorts the keys of an object into fields and others. Reports two keys that say different things about
/// one field.
pub(super) fn known(
    at: &str,
    map: &Map<String, Value>,
    table: &Table,
    found: &mut Findings,
) -> Known {
    let is_task = std::ptr::eq(table, &raw const TASK);
    let mut known = Known {
        fields: Map::new(),
        labels: Vec::new(),
        prompts: Vec::new(),
        others: Vec::new(),
    };
    let mut written: Vec<Written<'_>> = Vec::new();
    for (key, value) in map {
        match field_of(table, key) {
            Some((field, rank)) => written.push(Written {
                field,
                rank,
                key,
                value,
                is_prompt: field == "prompt",
            }),
            None => known.others.push(Extra::of(key, value, false)),
        }
    }
    if is_task {
        name_from_task(&mut written, map, &mut known.others);
        let prompts = written
            .iter()
            .filter(|one| one.is_prompt && !one.value.is_null());
        known.prompts = prompts.map(Written::part).collect();
    }
    for (field, _) in table.fields {
        let mut all: Vec<&Written<'_>> = written.iter().filter(|one| one.field == *field).collect();
        all.sort_by_key(|one| (one.value.is_null(), one.order()));
        let Some((best, rest)) = all.split_first() else {
            continue;
        };
        if is_task && *field == "name" {
            known
                .labels
                .extend(all.iter().filter_map(|one| label(one.value)));
        }
        for other in rest {
            let is_joined = is_task && *field == "prompt";
            if other.value.is_null() || other.value == best.value || is_joined {
                continue;
            }
            if is_ambiguous(is_task, best) {
                let (one, other) = (quote(best.key), quote(other.key));
                let message = format!("{one} and {other} say different things");
                let help = format!("write \"{field}\" only, once");
                found.problem(code::AMBIGUOUS, format!("{at}/{field}"), message, help);
            } else {
                known.others.push(Extra::of(other.key, other.value, true));
            }
        }
        if best.key != *field {
            let message = format!("{} read as {}", quote(best.key), quote(field));
            found.repair(repair::RENAMED_FIELD, format!("{at}/{field}"), message);
        }
        known.fields.insert((*field).to_owned(), best.value.clone());
    }
    known
}

/// A field as it is written.
struct Written<'a> {
    field: &'static str,
    /// Its rank among the words for the field.
    rank: usize,
    key: &'a str,
    value: &'a Value,
    /// Whether its text is a part of the instruction.
    is_prompt: bool,
}

impl Written<'_> {
    fn part(&self) -> Part {
        Part {
            key: self.key.to_owned(),
            value: self.value.clone(),
        }
    }

    /// The rank; a number is a poor name, and comes after every text.
    fn order(&self) -> usize {
        let text = self.value.as_str();
        let is_number = text.is_none_or(|text| text.trim().parse::<u64>().is_ok());
        if self.field == "name" && self.rank > 0 && is_number {
            self.rank + 100
        } else {
            self.rank
        }
    }
}

impl Extra {
    pub(super) fn of(key: &str, value: &Value, is_spare: bool) -> Self {
        Self {
            key: key.to_owned(),
            value: value.clone(),
            is_spare,
            is_read: false,
        }
    }
}

fn label(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether two words for a field may both mean it. Names and reasons may be there twice.
fn is_ambiguous(is_task: bool, best: &Written<'_>) -> bool {
    match best.field {
        "reasoning" => false,
        "name" => !is_task,
        _ => true,
    }
}

/// Lets `task` or a number be the name if the task has no other, and something else is its work.
fn name_from_task<'a>(
    written: &mut Vec<Written<'a>>,
    map: &'a Map<String, Value>,
    others: &mut [Extra],
) {
    if written
        .iter()
        .any(|one| one.field == "name" && !one.value.is_null())
    {
        return;
    }
    let has_work = written.iter().any(|one| {
        matches!(one.field, "prompt" | "command")
            && one.value.is_string()
            && fold(one.key) != "task"
    });
    let is_short = |value: &Value| match value {
        Value::String(text) => text.len() <= MAX_NAME_BYTES && !text.contains('\n'),
        Value::Number(_) => true,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    let found = map.iter().find(|(key, value)| {
        let is_name = match &*fold(key) {
            "task" => has_work,
            "step" | "step_number" | "number" | "index" => true,
            _ => false,
        };
        is_name && is_short(value)
    });
    let Some((key, value)) = found else {
        return;
    };
    written.retain(|one| one.key != key);
    for one in others.iter_mut().filter(|one| one.key == *key) {
        // A number may also say when the task runs.
        one.is_read = true;
    }
    // A sentence says what to do, and not only how the task is called.
    let is_sentence = value.as_str().is_some_and(|text| text.trim().contains(' '));
    let name = Written {
        field: "name",
        rank: 1,
        key,
        value,
        is_prompt: matches!(&*fold(key), "task" | "step") && is_sentence,
    };
    written.insert(0, name);
}
