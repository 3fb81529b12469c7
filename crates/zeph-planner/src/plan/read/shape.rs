//! Shape: a JSON value becomes a draft, field by field, with a pointer for whatever is amiss.

mod field;
mod task;

pub(super) use field::NOTHING;

use serde_json::{Map, Value};

use crate::plan::finding::{Findings, show, suggest};
use crate::plan::{PlanCode, PlanOnFailure, PlanRequest, PlanTrigger, RepairCode, TaskKind};

/// What a document says, once its shape is right. Names are as the model wrote them.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) reasoning: String,
    pub(super) tasks: Vec<TaskDraft>,
}

/// A task as it was written.
#[derive(Debug, Default)]
pub(super) struct TaskDraft {
    /// Its place in the document.
    pub(super) index: usize,
    pub(super) name: Option<String>,
    /// Each with its place in the list.
    pub(super) needs: Vec<(usize, String)>,
    pub(super) kind: Option<TaskKind>,
    pub(super) prompt: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) tools: Option<Vec<(usize, String)>>,
    pub(super) command: Option<String>,
    pub(super) arguments: Option<Vec<ArgumentDraft>>,
    pub(super) trigger: PlanTrigger,
    pub(super) on_failure: PlanOnFailure,
    pub(super) expected_tokens: Option<u32>,
}

/// An argument as it was written.
#[derive(Debug)]
pub(super) struct ArgumentDraft {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) value: String,
}

impl TaskDraft {
    /// The pointer of one of its fields; of the task itself if the field is empty.
    pub(super) fn at(&self, field: &str) -> String {
        match field {
            "" => format!("/tasks/{}", self.index),
            _ => format!("/tasks/{}/{field}", self.index),
        }
    }
}

/// The draft, unless the root is wrong or there are too many tasks to look at.
pub(super) fn draft(value: &Value, request: &PlanRequest, found: &mut Findings) -> Option<Draft> {
    let (reasoning, tasks) = match value {
        Value::Object(root) => root_object(root, request, found)?,
        Value::Array(tasks) => {
            found.repair(
                RepairCode::WrappedList,
                "",
                "the list was taken as the tasks",
            );
            (String::new(), tasks)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let help =
                Some("answer with an object that has \"reasoning\" and \"tasks\"".to_owned());
            found.problem(PlanCode::WrongType, "", "the answer is no object", help);
            return None;
        }
    };
    let most = request.limits.max_tasks;
    if tasks.is_empty() {
        let help = Some("plan at least one task".to_owned());
        found.problem(PlanCode::NoTasks, "/tasks", "there is no task", help);
        return None;
    }
    if tasks.len() > most {
        let message = format!("there are {} tasks, and there may be {most}", tasks.len());
        let help = Some("put several steps into one task".to_owned());
        found.problem(PlanCode::TooManyTasks, "/tasks", message, help);
        return None;
    }
    let tasks = tasks.iter().enumerate();
    let tasks = tasks.filter_map(|(index, task)| task::read(index, task, request, found));
    Some(Draft {
        reasoning,
        tasks: tasks.collect(),
    })
}

fn root_object<'a>(
    root: &'a Map<String, Value>,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<(String, &'a Vec<Value>)> {
    let mut fields = field::Fields::new("", root, found);
    let reasoning = fields.text("reasoning");
    let reasoning = reasoning
        .map(|text| fields.visible("reasoning", text))
        .unwrap_or_default();
    fields.only(&["reasoning", "tasks"]);
    if reasoning.len() > request.limits.max_prompt_bytes {
        let message = format!(
            "the reasoning has {} bytes, and may have {}",
            reasoning.len(),
            request.limits.max_prompt_bytes
        );
        let help = Some("say it in two or three sentences".to_owned());
        found.problem(PlanCode::TextTooLong, "/reasoning", message, help);
    }
    match root.get("tasks") {
        Some(Value::Array(tasks)) => return Some((reasoning, tasks)),
        None | Some(Value::Null) => {
            let help = Some("list the tasks under \"tasks\"".to_owned());
            found.problem(
                PlanCode::MissingField,
                "/tasks",
                "there are no \"tasks\"",
                help,
            );
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            let help = Some("write a list of objects".to_owned());
            found.problem(PlanCode::WrongType, "/tasks", "\"tasks\" is no list", help);
        }
    }
    None
}

/// Reports a word that is none of those that a field may have.
fn bad_word(field: &str, given: &str, words: &[&str], at: String, found: &mut Findings) {
    let message = format!("{} is no {field}", show(given));
    let help = suggest(given, words.iter().copied());
    found.problem(PlanCode::BadValue, at, message, help);
}
