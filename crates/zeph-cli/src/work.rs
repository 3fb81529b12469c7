//! The work of a task in words: who does it, and what.

use serde_json::Value;
use zeph_graph::{Task, Work};
use zeph_planner::agent::AgentExecutor;

use crate::out;

/// Who does the work of a task: a command, an agent, a person.
pub(crate) fn who(task: &Task) -> String {
    match task.work() {
        Work::Milestone => "milestone".to_owned(),
        Work::Question(_) => "asks you".to_owned(),
        Work::Action { name, params } if **name == *AgentExecutor::ACTION => {
            let params = params.to_value().unwrap_or_default();
            let agent = params.get("agent").and_then(Value::as_str);
            agent.map_or_else(|| "any agent".to_owned(), |agent| format!("agent {agent}"))
        }
        Work::Action { name, .. } => name.to_string(),
    }
}

/// The prompt, the question or the command line of a task; empty for other work.
pub(crate) fn what(task: &Task) -> String {
    let params = match task.work() {
        Work::Milestone => return String::new(),
        Work::Question(question) => return question.text.clone(),
        Work::Action { params, .. } => params.to_value().unwrap_or_default(),
    };
    let text = |key: &str| params.get(key).and_then(Value::as_str);
    if let Some(prompt) = text("prompt") {
        return prompt.to_owned();
    }
    if let Some(script) = text("shell") {
        return format!("sh -c {}", out::quoted(script));
    }
    let argv = params.get("argv").and_then(Value::as_array);
    let words = argv.into_iter().flatten().filter_map(Value::as_str);
    words.map(out::quoted).collect::<Vec<_>>().join(" ")
}

/// The parameters of a task that [`who`] and [`what`] do not show, each as JSON.
pub(crate) fn parameters(task: &Task) -> Vec<(String, String)> {
    let Work::Action { params, .. } = task.work() else {
        return Vec::new();
    };
    let Ok(Value::Object(params)) = params.to_value() else {
        return Vec::new();
    };
    let shown = ["agent", "prompt", "shell", "argv"];
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    (params.into_iter())
        .filter(|(name, value)| !shown.contains(&name.as_str()) && !is_empty(value))
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}
