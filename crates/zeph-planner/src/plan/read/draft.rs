//! The draft of a plan: its fields as the model wrote them, with a pointer for each problem.

use serde_json::{Map, Value, json};
use zeph_diagnostics::quote;
use zeph_graph::{OnFailure, Trigger};

use super::fields::Fields;
use crate::plan::accepted::{FAILURE_RULES, TRIGGERS};
use crate::plan::finding::{Findings, code, repair};
use crate::plan::schema::TASK_FIELDS;
use crate::plan::{PlanRequest, TaskKind};

/// The fields of a plan. Names are as the model wrote them.
pub(super) struct Draft {
    pub(super) reasoning: String,
    pub(super) tasks: Vec<TaskDraft>,
}

/// A task as the model wrote it.
#[derive(Default)]
pub(super) struct TaskDraft {
    /// Its index in the list.
    pub(super) index: usize,
    pub(super) name: Option<String>,
    /// Each with its index in the list.
    pub(super) needs: Vec<(usize, String)>,
    pub(super) kind: Option<TaskKind>,
    pub(super) prompt: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) tools: Option<Vec<(usize, String)>>,
    pub(super) command: Option<String>,
    pub(super) arguments: Option<Vec<ArgumentDraft>>,
    pub(super) trigger: Trigger,
    pub(super) on_failure: OnFailure,
    pub(super) expected_tokens: Option<u32>,
}

/// An argument as the model wrote it.
pub(super) struct ArgumentDraft {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) value: String,
}

impl TaskDraft {
    /// The JSON pointer of a field.
    pub(super) fn at(&self, field: &str) -> String {
        format!("/tasks/{}/{field}", self.index)
    }
}

/// The draft; `None` if the root is wrong or there are too many tasks.
pub(super) fn read(value: &Value, request: &PlanRequest, found: &mut Findings) -> Option<Draft> {
    let (reasoning, tasks) = match value {
        Value::Object(root) => root_object(root, request, found)?,
        Value::Array(tasks) => {
            found.repair(repair::WRAPPED_LIST, "", "the list was read as the tasks");
            (String::new(), tasks)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let help = "answer with an object that has \"reasoning\" and \"tasks\"";
            found.problem(code::WRONG_TYPE, "", "expected an object", help);
            return None;
        }
    };
    let (count, most) = (tasks.len(), request.limits.max_tasks);
    if count == 0 {
        let help = "plan at least one task";
        found.problem(code::NO_TASKS, "/tasks", "the plan has no task", help);
        return None;
    }
    if count > most {
        let message = format!("the plan has {count} tasks; at most {most} are allowed");
        let help = "combine several steps in one task";
        found.problem(code::TOO_MANY_TASKS, "/tasks", message, help);
        return None;
    }
    let tasks = tasks.iter().enumerate();
    let tasks = tasks.filter_map(|(index, one)| task(index, one, request, found));
    Some(Draft {
        reasoning,
        tasks: tasks.collect(),
    })
}

fn root_object<'a>(
    map: &'a Map<String, Value>,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<(String, &'a Vec<Value>)> {
    let at = String::new();
    let mut root = Fields { at, map, found };
    let reasoning = root.text("reasoning").unwrap_or_default();
    let reasoning = root.visible("reasoning", &reasoning);
    root.only(&["reasoning", "tasks"]);
    let (bytes, most) = (reasoning.len(), request.limits.max_prompt_bytes);
    if bytes > most {
        let message = format!("the reasoning has {bytes} bytes; at most {most} are allowed");
        let help = "write two or three sentences";
        root.problem(code::TEXT_TOO_LONG, "reasoning", message, help);
    }
    match root.get("tasks") {
        Some(Value::Array(tasks)) => return Some((reasoning, tasks)),
        None => {
            let help = "list the tasks under \"tasks\"";
            root.problem(code::MISSING_FIELD, "tasks", "\"tasks\" is missing", help);
        }
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_),
        ) => {
            let help = "write a list of objects";
            root.problem(code::WRONG_TYPE, "tasks", "\"tasks\" is not a list", help);
        }
    }
    None
}

fn task(
    index: usize,
    value: &Value,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<TaskDraft> {
    let at = format!("/tasks/{index}");
    let Value::Object(map) = value else {
        let help = "write an object with \"name\", \"needs\" and \"prompt\"";
        found.problem(code::WRONG_TYPE, at, "a task is not an object", help);
        return None;
    };
    let mut fields = Fields { at, map, found };
    fields.only(&TASK_FIELDS);
    report_absent(&mut fields, request);
    let mut task = TaskDraft {
        index,
        name: fields.text("name"),
        needs: fields.texts("needs").unwrap_or_default(),
        agent: fields.optional_text("agent"),
        tools: fields.texts("tools"),
        command: fields.optional_text("command"),
        arguments: arguments(&mut fields),
        prompt: fields.optional_text("prompt"),
        trigger: word(&mut fields, "trigger", &TRIGGERS).unwrap_or_default(),
        on_failure: word(&mut fields, "on_failure", &FAILURE_RULES).unwrap_or_default(),
        expected_tokens: expected_tokens(&mut fields),
        kind: None,
    };
    task.prompt = task.prompt.map(|text| fields.visible("prompt", &text));
    task.kind = kind(&mut fields, task.command.is_some(), request);
    if fields.get("name").is_none() {
        let help = "give each task a short, unique name";
        fields.problem(code::MISSING_FIELD, "name", "a task has no name", help);
    }
    Some(task)
}

/// Records which of the fields that the host's schema requires are missing. The name has its own check.
fn report_absent(fields: &mut Fields<'_, '_>, request: &PlanRequest) {
    let agents = !request.catalog.is_empty();
    let is_required = |field: &str| match field {
        "name" => false,
        "agent" => agents,
        "tools" => agents && !request.rights.tools.is_empty(),
        "command" => !request.commands.is_empty(),
        "arguments" => request.commands.iter().any(|(_, one)| !one.args.is_empty()),
        _ => true,
    };
    let absent = |field: &&str| is_required(field) && !fields.map.contains_key(*field);
    let absent: Vec<&str> = TASK_FIELDS.into_iter().filter(absent).collect();
    if !absent.is_empty() {
        let message = format!("{} missing, read as null", absent.join(", "));
        fields
            .found
            .repair(repair::ABSENT_FIELD, &fields.at, message);
    }
}

/// One of some words, in any case.
fn word<T: Clone>(
    fields: &mut Fields<'_, '_>,
    field: &str,
    words: &[(&'static str, T)],
) -> Option<T> {
    let given = fields.optional_text(field)?;
    let folded = given.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    let Some((word, value)) = words.iter().find(|(word, _)| *word == folded) else {
        let help = fields
            .found
            .help_for(&given, words.iter().map(|(word, _)| *word));
        let message = format!("{} is not a {field}", quote(&given));
        fields.problem(code::BAD_VALUE, field, message, help);
        return None;
    };
    if *word != given {
        let message = format!("{} read as {}", quote(&given), quote(word));
        fields.repair(repair::FOLDED_CASE, field, message);
    }
    Some(value.clone())
}

/// The given kind, else the kind that follows from the fields. `None` after a problem.
fn kind(fields: &mut Fields<'_, '_>, has_command: bool, request: &PlanRequest) -> Option<TaskKind> {
    let words = TaskKind::ALL.map(|kind| (kind.word(), kind));
    let problems = fields.found.problems.len();
    let given = word(fields, "kind", &words);
    if fields.found.problems.len() > problems {
        return None;
    }
    let kind = given.unwrap_or_else(|| {
        let kind = if has_command {
            TaskKind::Command
        } else {
            TaskKind::Agent
        };
        let message = format!("\"{}\", derived from the other fields", kind.word());
        fields.repair(repair::DERIVED_KIND, "kind", message);
        kind
    });
    if request.allows(kind) {
        return Some(kind);
    }
    let message = format!("the host does not allow the kind \"{}\"", kind.word());
    let help = format!("expected one of {}", request.kinds().join(", "));
    fields.problem(code::KIND_NOT_ALLOWED, "kind", message, help);
    None
}

fn expected_tokens(fields: &mut Fields<'_, '_>) -> Option<u32> {
    let value = fields.get("expected_tokens")?;
    // Some services write whole numbers as 500.0, others as texts.
    let text = value.as_str();
    let number = value.as_f64().or_else(|| text?.trim().parse().ok());
    let most = f64::from(u32::MAX);
    let number = number.filter(|number| number.fract() == 0.0 && (0.0..=most).contains(number));
    match (number, text) {
        (Some(_), Some(text)) => {
            let message = format!("{} read as a number", quote(text));
            fields.repair(repair::TEXT_AS_NUMBER, "expected_tokens", message);
        }
        (Some(_), None) => {}
        (None, _) => {
            let message = "\"expected_tokens\" is not a whole number";
            let help = "write a whole number of tokens, or null";
            fields.problem(code::BAD_VALUE, "expected_tokens", message, help);
        }
    }
    number.map(|number| number as u32)
}

fn arguments(fields: &mut Fields<'_, '_>) -> Option<Vec<ArgumentDraft>> {
    let pairs: Vec<Value>;
    let items = match fields.get("arguments")? {
        Value::Array(items) => items,
        // Another common form for names with values.
        Value::Object(map) => {
            let message = "an object of names and values read as the list";
            fields.repair(repair::OBJECT_AS_LIST, "arguments", message);
            let pair = |(name, value)| json!({ "name": name, "value": value });
            pairs = map.iter().map(pair).collect();
            &pairs
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let message = "\"arguments\" is not a list";
            let help = "write a list of objects with \"name\" and \"value\"";
            fields.problem(code::WRONG_TYPE, "arguments", message, help);
            return Some(Vec::new());
        }
    };
    let items = items.iter().enumerate();
    Some(
        items
            .filter_map(|(index, item)| argument(fields, index, item))
            .collect(),
    )
}

fn argument(fields: &mut Fields<'_, '_>, index: usize, item: &Value) -> Option<ArgumentDraft> {
    let at = fields.at(&format!("arguments/{index}"));
    let found = &mut *fields.found;
    let Value::Object(map) = item else {
        let help = "write an object with \"name\" and \"value\"";
        found.problem(code::WRONG_TYPE, at, "an argument is not an object", help);
        return None;
    };
    let mut inner = Fields { at, map, found };
    inner.only(&["name", "value"]);
    let name = inner.text("name");
    if inner.get("name").is_none() {
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
