//! A task of an answer that is still being received: its name and its kind, for display only.

use serde_json::Value;

use super::keys;
use super::words::{TASK, fold};
use crate::plan::TaskKind;
use crate::plan::finding::Findings;

/// The name and the kind of a task under any word for them; `None` if it has no name.
pub(in crate::plan) fn shown(task: &Value) -> Option<(String, Option<TaskKind>)> {
    let known = keys::known("", task.as_object()?, &TASK, &mut Findings::default());
    let name = match known.fields.get("name")? {
        Value::String(name) => name.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let kind = known.fields.get("kind").and_then(Value::as_str);
    Some((name, kind.and_then(|kind| TaskKind::from_word(&fold(kind)))))
}
