//! The draft of a plan: its fields as the model wrote them, with a pointer for each problem.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use zeph_diagnostics::quote;
use zeph_graph::{OnFailure, Trigger};

use super::fields::{Fields, is_nothing};
use super::instruction;
use super::keys::{self, Extra};
use super::senses::{Sense, sense};
use super::unwrap::{from_text, in_object, is_task, is_task_word, is_text_of_tasks, tasks_key};
use super::words::{self, ARGUMENT, PLAN, TASK};
use crate::plan::accepted::{FAILURE_RULES, TRIGGERS};
use crate::plan::finding::{Findings, code, repair};
use crate::plan::schema::TASK_FIELDS;
use crate::plan::{PlanRequest, TaskKind};

/// The fields of a plan. Names are as the model wrote them.
pub(super) struct Draft {
    pub(super) reasoning: String,
    pub(super) tasks: Vec<TaskDraft>,
    /// The keys that are no fields.
    pub(super) others: Vec<Extra>,
}

/// A task as the model wrote it.
#[derive(Default)]
pub(super) struct TaskDraft {
    /// Its index in the list.
    pub(super) index: usize,
    pub(super) name: Option<String>,
    /// Other texts by which it is known: its id, its title.
    pub(super) labels: Vec<String>,
    /// Each with its index in the list.
    pub(super) needs: Vec<(usize, String)>,
    /// Whether it says anything about needs, be it an empty list.
    pub(super) has_needs: bool,
    pub(super) kind: Option<TaskKind>,
    pub(super) prompt: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) tools: Option<Vec<(usize, String)>>,
    /// Whether it says anything about tools, be it null.
    pub(super) has_tools: bool,
    pub(super) command: Option<String>,
    pub(super) arguments: Option<Vec<ArgumentDraft>>,
    pub(super) trigger: Trigger,
    /// As written; `None` takes the default of its kind.
    pub(super) on_failure: Option<OnFailure>,
    pub(super) expected_tokens: Option<u32>,
    /// The keys that are no fields.
    pub(super) others: Vec<Extra>,
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
    let (reasoning, tasks, others) = match value {
        Value::Object(root) => root_object(root, request, found)?,
        Value::Array(tasks) => {
            found.repair(repair::WRAPPED_LIST, "", "the list was read as the tasks");
            let tasks = Cow::Borrowed(tasks.as_slice());
            (String::new(), tasks, Vec::new())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let help = "answer with an object that has \"reasoning\" and \"tasks\"";
            found.problem(code::WRONG_TYPE, "", "expected an object", help);
            return None;
        }
    };
    let (count, most) = (tasks.len(), request.limits.max_tasks);
    if count == 0 && request.earlier.is_empty() {
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
        others,
    })
}

fn root_object<'a>(
    map: &'a Map<String, Value>,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<(String, Cow<'a, [Value]>, Vec<Extra>)> {
    let key = tasks_key(map).unwrap_or("tasks");
    let is_tasks =
        |key: &str| words::field_of(&PLAN, key).is_some_and(|(field, _)| field == "tasks");
    let (tasks, rest): (Vec<_>, Vec<_>) = map.iter().partition(|(key, _)| is_tasks(key));
    let mut remarks = Vec::new();
    for (other, value) in tasks {
        if other == key || Some(value) == map.get(key) || value.is_null() {
            continue;
        }
        // A text in prose is a remark, as it is around the plan.
        if value.is_string() && !is_text_of_tasks(value) {
            remarks.push(Extra::of(other, value, true));
        } else {
            let message = format!("{} and {} say different things", quote(key), quote(other));
            let help = "list the tasks under \"tasks\", once";
            found.problem(code::AMBIGUOUS, "/tasks", message, help);
        }
    }
    if key != "tasks" {
        let message = format!("{} read as \"tasks\"", quote(key));
        found.repair(repair::RENAMED_FIELD, "/tasks", message);
    }
    let rest: Map<String, Value> = rest
        .into_iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let known = keys::known("", &rest, &PLAN, found);
    let mut root = Fields {
        at: String::new(),
        map: &known.fields,
        found,
    };
    let reasoning = root.lines("reasoning").unwrap_or_default();
    let reasoning = root.visible("reasoning", &reasoning);
    let (bytes, most) = (reasoning.len(), request.limits.max_prompt_bytes);
    if bytes > most {
        let message = format!("the reasoning has {bytes} bytes; at most {most} are allowed");
        let help = "write two or three sentences";
        root.problem(code::TEXT_TOO_LONG, "reasoning", message, help);
    }
    let tasks = list_of_tasks(map.get(key), root.found)?;
    let mut others = known.others;
    others.extend(remarks);
    Some((reasoning, tasks, others))
}

/// The tasks: a list, an object with one task by name in each field, a single task, or a JSON text of one of
/// these.
fn list_of_tasks<'a>(value: Option<&'a Value>, found: &mut Findings) -> Option<Cow<'a, [Value]>> {
    let (at, help) = ("/tasks", "write a list of objects");
    let by_name = |map: &Map<String, Value>| {
        let is_one = is_task(map);
        if is_one {
            return vec![Value::Object(map.clone())];
        }
        map.iter()
            .map(|(name, task)| json!({ name.as_str(): task }))
            .collect()
    };
    let mut note = |message| found.repair(repair::OBJECT_AS_LIST, at, message);
    match value {
        Some(Value::Array(tasks)) => return Some(Cow::Borrowed(tasks)),
        // Under another key the list may be an order, or a condition.
        Some(Value::Object(map))
            if map.len() == 1
                && let Some((key, Value::Array(tasks))) = map.iter().next()
                && (is_task_word(key) || words::field_of(&PLAN, key).is_some()) =>
        {
            note("the list in an object read as the list of tasks");
            return Some(Cow::Borrowed(tasks));
        }
        Some(Value::Object(map)) if map.values().all(Value::is_object) || is_task(map) => {
            note("an object read as the list of tasks");
            return Some(Cow::Owned(by_name(map)));
        }
        Some(Value::String(text)) => match from_text(text) {
            Some(Value::Array(tasks)) => {
                note("a JSON text read as the list of tasks");
                return Some(Cow::Owned(tasks));
            }
            Some(Value::Object(map)) => {
                note("a JSON text read as the list of tasks");
                return Some(Cow::Owned(by_name(&map)));
            }
            _ => {}
        },
        None | Some(Value::Null) => {
            let help = "list the tasks under \"tasks\"";
            found.problem(code::MISSING_FIELD, at, "\"tasks\" is missing", help);
            return None;
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {}
    }
    found.problem(code::WRONG_TYPE, at, "\"tasks\" is not a list", help);
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
    let (outer, map) = match in_object(map) {
        Some((key, inner)) if !is_task_word(key) => (Some(key), inner),
        Some((_, inner)) => (None, inner),
        None => (None, map),
    };
    let mut known = keys::known(&at, map, &TASK, found);
    if let Some(name) = outer {
        let own = known.fields.get("name").filter(|own| !own.is_null());
        // As a key beside the task it would change what is done.
        if matches!(
            sense(&words::fold(name), true),
            Sense::Switch(_) | Sense::State
        ) {
            known
                .others
                .push(Extra::of(name, &Value::Bool(true), false));
        }
        if own.is_none() {
            known.fields.insert("name".to_owned(), Value::from(name));
        }
        known.labels.push(name.to_owned());
        found.repair(
            repair::OBJECT_AS_LIST,
            &at,
            "the key of the task read as its name",
        );
    }
    let mut fields = Fields {
        at,
        map: &known.fields,
        found,
    };
    report_absent(&mut fields, request);
    let mut task = TaskDraft {
        index,
        name: fields.text("name"),
        labels: known.labels,
        needs: fields.texts("needs").unwrap_or_default(),
        has_needs: fields.get("needs").is_some(),
        agent: fields.optional_text("agent"),
        has_tools: fields.map.contains_key("tools"),
        tools: tools(&mut fields),
        command: fields.optional_text("command"),
        arguments: arguments(&mut fields),
        prompt: instruction::prompt(&mut fields, &known.prompts),
        trigger: word(&mut fields, "trigger", &TRIGGERS).unwrap_or_default(),
        on_failure: word(&mut fields, "on_failure", &FAILURE_RULES),
        expected_tokens: expected_tokens(&mut fields),
        kind: None,
        others: known.others,
    };
    task.kind = kind(&mut fields, &task, request);
    let is_command = task.kind == Some(TaskKind::Command);
    task.prompt = instruction::details(&mut fields, task.prompt, &mut task.others, is_command);
    task.prompt = task.prompt.map(|text| fields.visible("prompt", &text));
    if fields.get("name").is_none() {
        let help = "give each task a short, unique name";
        fields.problem(code::MISSING_FIELD, "name", "a task has no name", help);
    }
    Some(task)
}

/// The tools: null or nothing for all tools of the agent, an empty list or a word for none. Never more than
/// is said: a text that may be either is refused.
fn tools(fields: &mut Fields<'_, '_>) -> Option<Vec<(usize, String)>> {
    let Some(Value::String(text)) = fields.get("tools") else {
        let tools = fields.texts("tools")?;
        // A list without a tool is the list of none, however that is written.
        if !tools.is_empty() && tools.iter().all(|(_, tool)| is_nothing(tool)) {
            return Some(fields.no_items("tools", &quote(&tools[0].1)));
        }
        return Some(tools);
    };
    let word = words::fold(text);
    match &*word {
        "none" | "no" | "no_tools" | "no_tool" | "nothing" | "none_needed" | "no_tools_needed"
        | "without_tools" => Some(fields.no_items("tools", &quote(text))),
        "null" | "nil" | "undefined" => fields.optional_text("tools").map(|_| Vec::new()),
        "" | "n_a" | "na" | "empty" if text.trim() != "[]" => {
            let message = format!("{} may mean all tools of the agent, or none", quote(text));
            let help = "write null for all tools of the agent, or [] for none";
            fields.problem(code::AMBIGUOUS, "tools", message, help);
            Some(Vec::new())
        }
        "" => Some(fields.no_items("tools", &quote(text))),
        _ => {
            let message = format!("{} read as a list", quote(text));
            fields.repair(repair::TEXT_AS_LIST, "tools", message);
            let parts = text
                .split([',', ';', '\n'])
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Some(parts.map(|part| (0, part.to_owned())).collect())
        }
    }
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
    let folded = words::fold(&given);
    let folded = folded.trim_end_matches("_task");
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
fn kind(fields: &mut Fields<'_, '_>, task: &TaskDraft, request: &PlanRequest) -> Option<TaskKind> {
    let words = TaskKind::ALL.map(|kind| (kind.word(), kind));
    let problems = fields.found.problems.len();
    let given = word(fields, "kind", &words);
    if fields.found.problems.len() > problems {
        return None;
    }
    let kind = match given {
        Some(kind) => kind,
        None => derived_kind(fields, task, request)?,
    };
    if request.allows(kind) {
        return Some(kind);
    }
    let message = format!("the host does not allow the kind \"{}\"", kind.word());
    let help = format!("expected one of {}", request.kinds().join(", "));
    fields.problem(code::KIND_NOT_ALLOWED, "kind", message, help);
    None
}

/// The kind that follows from the other fields. A question without an agent may be for a person or for an
/// agent.
fn derived_kind(
    fields: &mut Fields<'_, '_>,
    task: &TaskDraft,
    request: &PlanRequest,
) -> Option<TaskKind> {
    let ends = |line: &str| line.trim_end().ends_with(['?', '？', '؟']);
    let asks = |prompt: &String| prompt.split("\n\n").any(ends);
    let has_agent = task.agent.is_some() || task.tools.is_some();
    let kind = if task.command.is_some() {
        TaskKind::Command
    } else if has_agent || !request.rights.questions || !task.prompt.as_ref().is_some_and(asks) {
        TaskKind::Agent
    } else {
        let message = "the prompt may be a question to a person, or the task of an agent";
        let help = "write \"kind\": \"question\" or \"kind\": \"agent\"";
        fields.problem(code::AMBIGUOUS, "kind", message, help);
        return None;
    };
    let message = format!("\"{}\", derived from the other fields", kind.word());
    fields.repair(repair::DERIVED_KIND, "kind", message);
    Some(kind)
}

fn expected_tokens(fields: &mut Fields<'_, '_>) -> Option<u32> {
    let value = fields.get("expected_tokens")?;
    // Some services write whole numbers as 500.0, others as texts.
    let text = value.as_str();
    let number = value.as_f64().or_else(|| number_in(text?));
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

/// The number in a text such as `500`, `~500` or `about 500 tokens`.
fn number_in(text: &str) -> Option<f64> {
    let words = text.split(|c: char| c.is_whitespace() || c == '~');
    let is_word = |word: &&str| {
        let noise = [
            "", "about", "around", "approx", "approx.", "ca.", "token", "tokens",
        ];
        !noise.contains(&word.to_ascii_lowercase().as_str())
    };
    let mut words = words.filter(is_word);
    let number = words.next()?.parse().ok()?;
    words.next().is_none().then_some(number)
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
    let known = keys::known(&at, map, &ARGUMENT, found);
    let mut inner = Fields {
        at,
        map: &known.fields,
        found,
    };
    inner.only(&known.others, &["name", "value"]);
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
