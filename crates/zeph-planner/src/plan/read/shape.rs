//! The shape of a plan: reads the fields of a JSON value into a draft, with a pointer for each problem.

mod field;
mod task;

pub(super) use field::NULL_TEXTS;

use serde_json::{Map, Value};
use zeph_diagnostics::quote;
use zeph_graph::{OnFailure, Trigger};

use crate::plan::finding::{Findings, code, repair};
use crate::plan::{PlanRequest, TaskKind};

/// The fields of a plan. Names are as the model wrote them.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) reasoning: String,
    pub(super) tasks: Vec<TaskDraft>,
}

/// A task as the model wrote it.
#[derive(Debug, Default)]
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
#[derive(Debug)]
pub(super) struct ArgumentDraft {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) value: String,
}

impl TaskDraft {
    /// The JSON pointer of a field; of the task itself if the field is empty.
    pub(super) fn at(&self, field: &str) -> String {
        match field {
            "" => format!("/tasks/{}", self.index),
            _ => format!("/tasks/{}/{field}", self.index),
        }
    }
}

/// The draft; `None` if the root is wrong or there are too many tasks.
pub(super) fn draft(value: &Value, request: &PlanRequest, found: &mut Findings) -> Option<Draft> {
    let (reasoning, tasks) = match value {
        Value::Object(root) => root_object(root, request, found)?,
        Value::Array(tasks) => {
            found.repair(repair::WRAPPED_LIST, "", "the list was read as the tasks");
            (String::new(), tasks)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let help =
                Some("answer with an object that has \"reasoning\" and \"tasks\"".to_owned());
            found.problem(code::WRONG_TYPE, "", "expected an object", help);
            return None;
        }
    };
    let most = request.limits.max_tasks;
    if tasks.is_empty() {
        let help = Some("plan at least one task".to_owned());
        found.problem(code::NO_TASKS, "/tasks", "the plan has no task", help);
        return None;
    }
    if tasks.len() > most {
        let message = format!(
            "the plan has {} tasks; at most {most} are allowed",
            tasks.len()
        );
        let help = Some("combine several steps in one task".to_owned());
        found.problem(code::TOO_MANY_TASKS, "/tasks", message, help);
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
            "the reasoning has {} bytes; at most {} are allowed",
            reasoning.len(),
            request.limits.max_prompt_bytes
        );
        let help = Some("write two or three sentences".to_owned());
        found.problem(code::TEXT_TOO_LONG, "/reasoning", message, help);
    }
    match root.get("tasks") {
        Some(Value::Array(tasks)) => return Some((reasoning, tasks)),
        None | Some(Value::Null) => {
            let help = Some("list the tasks under \"tasks\"".to_owned());
            found.problem(code::MISSING_FIELD, "/tasks", "\"tasks\" is missing", help);
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            let help = Some("write a list of objects".to_owned());
            found.problem(code::WRONG_TYPE, "/tasks", "\"tasks\" is not a list", help);
        }
    }
    None
}

/// Reports a word that a field may not have.
fn bad_word(field: &str, given: &str, words: &[&str], at: String, found: &mut Findings) {
    let message = format!("{} is not a {field}", quote(given));
    let help = found.help_for(given, words.iter().copied());
    found.problem(code::BAD_VALUE, at, message, help);
}
