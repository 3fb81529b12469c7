//! Tasks: the fields of one, and the kind that follows from them.

use serde_json::Value;

use super::field::Fields;
use super::{ArgumentDraft, TaskDraft, bad_word};
use crate::plan::document::TASK_FIELDS;
use crate::plan::finding::{Findings, show};
use crate::plan::{PlanCode, PlanOnFailure, PlanRequest, PlanTrigger, RepairCode, TaskKind};

pub(super) fn read(
    index: usize,
    value: &Value,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<TaskDraft> {
    let at = format!("/tasks/{index}");
    let Value::Object(map) = value else {
        let help = Some("write an object with \"name\", \"needs\" and \"prompt\"".to_owned());
        found.problem(PlanCode::WrongType, at, "a task is no object", help);
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
    task.trigger = trigger(&mut fields);
    task.on_failure = on_failure(&mut fields);
    task.expected_tokens = expected_tokens(&mut fields);
    task.kind = kind(&mut fields, &task, request);
    if task.name.is_none() && fields.get("name").is_none() {
        let help = "give each task a short name of its own";
        fields.problem(PlanCode::MissingField, "name", "a task has no name", help);
    }
    Some(task)
}

/// The fields that the host's schema asks for, apart from the name, which cannot be left out.
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
fn word<T: Copy>(
    fields: &mut Fields<'_, '_>,
    field: &str,
    words: &[(&'static str, T)],
) -> Option<T> {
    let given = fields.optional_text(field)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == given) {
        return Some(*value);
    }
    let folded = given.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    if let Some((word, value)) = words.iter().find(|(word, _)| *word == folded) {
        let message = format!("{} taken as \"{word}\"", show(&given));
        let pointer = fields.pointer(field);
        fields
            .found()
            .repair(RepairCode::FoldedCase, pointer, message);
        return Some(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let pointer = fields.pointer(field);
    bad_word(field, &given, &known, pointer, fields.found());
    None
}

fn trigger(fields: &mut Fields<'_, '_>) -> PlanTrigger {
    let words = [PlanTrigger::AllSuccess, PlanTrigger::AllDone].map(|one| (one.word(), one));
    word(fields, "trigger", &words).unwrap_or_default()
}

fn on_failure(fields: &mut Fields<'_, '_>) -> PlanOnFailure {
    let words = [
        PlanOnFailure::Abort,
        PlanOnFailure::Skip,
        PlanOnFailure::Ask,
    ];
    word(fields, "on_failure", &words.map(|one| (one.word(), one))).unwrap_or_default()
}

/// The kind that is given, else the one that the fields show. `None` if a wrong one is given.
fn kind(fields: &mut Fields<'_, '_>, task: &TaskDraft, request: &PlanRequest) -> Option<TaskKind> {
    let words = TaskKind::ALL.map(|kind| (kind.word(), kind));
    let given = word(fields, "kind", &words);
    let kind = match given {
        Some(kind) => kind,
        None if fields.get("kind").is_some_and(|kind| !is_nothing(kind)) => return None,
        None => {
            let kind = if task.command.is_some() {
                TaskKind::Command
            } else {
                TaskKind::Agent
            };
            let pointer = fields.pointer("kind");
            let message = format!("\"{}\", as the other fields show", kind.word());
            fields
                .found()
                .repair(RepairCode::DerivedKind, pointer, message);
            kind
        }
    };
    if kind.is_allowed(request) {
        return Some(kind);
    }
    let allowed = TaskKind::ALL
        .into_iter()
        .filter(|kind| kind.is_allowed(request));
    let allowed: Vec<&str> = allowed.map(TaskKind::word).collect();
    let message = format!(
        "a plan may have no task of the kind \"{}\" here",
        kind.word()
    );
    let help = format!("there may be {}", allowed.join(", "));
    fields.problem(PlanCode::KindNotAllowed, "kind", message, &help);
    None
}

fn is_nothing(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.trim().is_empty() || text.trim().eq_ignore_ascii_case("null"))
}

fn expected_tokens(fields: &mut Fields<'_, '_>) -> Option<u32> {
    let value = fields.get("expected_tokens")?;
    // Some services write whole numbers as 500.0; a text with a number in it is one, too.
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().inspect(|_| {
            let pointer = fields.pointer("expected_tokens");
            let message = format!("{} taken as a number", show(text));
            fields
                .found()
                .repair(RepairCode::TextAsNumber, pointer, message);
        }),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let whole =
        |number: &f64| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number);
    match number.filter(whole) {
        Some(number) => Some(number as u32),
        None => {
            let message = "\"expected_tokens\" is no whole number";
            let help = "write a whole number of tokens, or null";
            fields.problem(PlanCode::BadValue, "expected_tokens", message, help);
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
        // The other usual way to write names with values; nothing is lost in it.
        Value::Object(map) => {
            let pointer = fields.pointer("arguments");
            let message = "an object of names and values taken as the list";
            fields
                .found()
                .repair(RepairCode::ObjectAsList, pointer, message);
            for (index, (name, value)) in map.iter().enumerate() {
                let pair = serde_json::json!({ "name": name, "value": value });
                read.extend(argument(fields, index, &pair));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let message = "\"arguments\" is no list";
            let help = "write a list of objects with \"name\" and \"value\"";
            fields.problem(PlanCode::WrongType, "arguments", message, help);
        }
    }
    Some(read)
}

fn argument(fields: &mut Fields<'_, '_>, index: usize, item: &Value) -> Option<ArgumentDraft> {
    let at = format!("{}/{index}", fields.pointer("arguments"));
    let Value::Object(map) = item else {
        let help = Some("write an object with \"name\" and \"value\"".to_owned());
        let found = fields.found();
        found.problem(PlanCode::WrongType, at, "an argument is no object", help);
        return None;
    };
    let mut inner = Fields::new(at, map, fields.found());
    inner.only(&["name", "value"]);
    let name = inner.text("name");
    if name.is_none() && inner.get("name").is_none() {
        let help = "name the argument of the command";
        inner.problem(
            PlanCode::MissingField,
            "name",
            "an argument has no name",
            help,
        );
    }
    // An argument without a value is one that is not given.
    let value = inner.text("value")?;
    Some(ArgumentDraft {
        index,
        name: name?,
        value,
    })
}
