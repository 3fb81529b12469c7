//! The fields of a task, and the kind that follows from them.

use serde_json::Value;
use zeph_diagnostics::quote;

use super::field::Fields;
use super::{ArgumentDraft, TaskDraft, bad_word};
use crate::plan::accepted::{FAILURE_RULES, TRIGGERS};
use crate::plan::finding::{Findings, code, repair};
use crate::plan::schema::TASK_FIELDS;
use crate::plan::{PlanRequest, TaskKind};

pub(super) fn read(
    index: usize,
    value: &Value,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<TaskDraft> {
    let at = format!("/tasks/{index}");
    let Value::Object(map) = value else {
        let help = Some("write an object with \"name\", \"needs\" and \"prompt\"".to_owned());
        found.problem(code::WRONG_TYPE, at, "a task is not an object", help);
        return None;
    };
    let mut fields = Fields::new(at, map, found);
    fields.only(&TASK_FIELDS);
    fields.absent(&expected(request));
    let mut task = TaskDraft {
        index,
        name: fields.text("name"),
        needs: fields.texts("needs").unwrap_or_default(),
        agent: fields.optional_text("agent"),
        tools: fields.texts("tools"),
        command: fields.optional_text("command"),
        ..TaskDraft::default()
    };
    task.arguments = arguments(&mut fields);
    task.prompt = fields.optional_text("prompt");
    task.prompt = task.prompt.map(|text| fields.visible("prompt", text));
    task.trigger = word(&mut fields, "trigger", &TRIGGERS).unwrap_or_default();
    task.on_failure = word(&mut fields, "on_failure", &FAILURE_RULES).unwrap_or_default();
    task.expected_tokens = expected_tokens(&mut fields);
    task.kind = kind(&mut fields, &task, request);
    if task.name.is_none() && fields.get("name").is_none() {
        let help = "give each task a short, unique name";
        fields.problem(code::MISSING_FIELD, "name", "a task has no name", help);
    }
    Some(task)
}

/// The fields that the host's schema requires, without the name, which has its own check.
fn expected(request: &PlanRequest) -> Vec<&'static str> {
    let commands = !request.commands.is_empty();
    let agents = !request.catalog.is_empty();
    let used = |field: &&str| match *field {
        "name" => false,
        "agent" => agents,
        "tools" => agents && !request.rights.tools.is_empty(),
        "command" => commands,
        "arguments" => request
            .commands
            .iter()
            .any(|one| one.arguments().next().is_some()),
        _ => true,
    };
    TASK_FIELDS.into_iter().filter(used).collect()
}

/// One of some words, in any case.
fn word<T: Clone>(
    fields: &mut Fields<'_, '_>,
    field: &str,
    words: &[(&'static str, T)],
) -> Option<T> {
    let given = fields.optional_text(field)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == given) {
        return Some(value.clone());
    }
    let folded = given.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    if let Some((word, value)) = words.iter().find(|(word, _)| *word == folded) {
        let pointer = fields.pointer(field);
        let found = fields.found();
        found.read_as(repair::FOLDED_CASE, pointer, &given, word);
        return Some(value.clone());
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let pointer = fields.pointer(field);
    bad_word(field, &given, &known, pointer, fields.found());
    None
}

/// The given kind, else the kind that follows from the fields. `None` if the given kind is wrong.
fn kind(fields: &mut Fields<'_, '_>, task: &TaskDraft, request: &PlanRequest) -> Option<TaskKind> {
    let words = TaskKind::ALL.map(|kind| (kind.word(), kind));
    let given = word(fields, "kind", &words);
    let kind = match given {
        Some(kind) => kind,
        None if fields.get("kind").is_some_and(|kind| !is_null(kind)) => return None,
        None => {
            let kind = if task.command.is_some() {
                TaskKind::Command
            } else {
                TaskKind::Agent
            };
            let pointer = fields.pointer("kind");
            let message = format!("\"{}\", derived from the other fields", kind.word());
            fields
                .found()
                .repair(repair::DERIVED_KIND, pointer, message);
            kind
        }
    };
    if request.allows(kind) {
        return Some(kind);
    }
    let message = format!("the host does not allow the kind \"{}\"", kind.word());
    let help = format!("expected one of {}", request.kinds().join(", "));
    fields.problem(code::KIND_NOT_ALLOWED, "kind", message, &help);
    None
}

fn is_null(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.trim().is_empty() || text.trim().eq_ignore_ascii_case("null"))
}

fn expected_tokens(fields: &mut Fields<'_, '_>) -> Option<u32> {
    let value = fields.get("expected_tokens")?;
    // Some services write whole numbers as 500.0, others as texts.
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().inspect(|_| {
            let pointer = fields.pointer("expected_tokens");
            let message = format!("{} read as a number", quote(text));
            fields
                .found()
                .repair(repair::TEXT_AS_NUMBER, pointer, message);
        }),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let whole =
        |number: &f64| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number);
    match number.filter(whole) {
        Some(number) => Some(number as u32),
        None => {
            let message = "\"expected_tokens\" is not a whole number";
            let help = "write a whole number of tokens, or null";
            fields.problem(code::BAD_VALUE, "expected_tokens", message, help);
            None
        }
    }
}

fn arguments(fields: &mut Fields<'_, '_>) -> Option<Vec<ArgumentDraft>> {
    let mut read = Vec::new();
    match fields.get("arguments")? {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                read.extend(argument(fields, index, item));
            }
        }
        // Another common form for names with values.
        Value::Object(map) => {
            let pointer = fields.pointer("arguments");
            let message = "an object of names and values read as the list";
            fields
                .found()
                .repair(repair::OBJECT_AS_LIST, pointer, message);
            for (index, (name, value)) in map.iter().enumerate() {
                let pair = serde_json::json!({ "name": name, "value": value });
                read.extend(argument(fields, index, &pair));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let message = "\"arguments\" is not a list";
            let help = "write a list of objects with \"name\" and \"value\"";
            fields.problem(code::WRONG_TYPE, "arguments", message, help);
        }
    }
    Some(read)
}

fn argument(fields: &mut Fields<'_, '_>, index: usize, item: &Value) -> Option<ArgumentDraft> {
    let at = format!("{}/{index}", fields.pointer("arguments"));
    let Value::Object(map) = item else {
        let help = Some("write an object with \"name\" and \"value\"".to_owned());
        let found = fields.found();
        found.problem(code::WRONG_TYPE, at, "an argument is not an object", help);
        return None;
    };
    let mut inner = Fields::new(at, map, fields.found());
    inner.only(&["name", "value"]);
    let name = inner.text("name");
    if name.is_none() && inner.get("name").is_none() {
        let help = "name the argument of the command";
        inner.problem(code::MISSING_FIELD, "name", "an argument has no name", help);
    }
    // An argument without a value counts as missing.
    let value = inner.text("value")?;
    Some(ArgumentDraft {
        index,
        name: name?,
        value,
    })
}
