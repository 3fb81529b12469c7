//! The parameters of a task: those that the wrapped executor gets, and those that it does not.

use serde_json::Value;
use zeph_executor::TaskInput;

use super::{CHECK, JUDGE, LIST};
use crate::references::sole_field;
use crate::template::Template;

/// The parameters that a wrapped executor gets: those of the task without `foreach` and `check`.
#[must_use]
pub fn inner_params(params: &Value) -> Value {
    let mut params = params.clone();
    for key in [LIST, CHECK] {
        taken(&mut params, key);
    }
    params
}

/// Whether a model decides about the results of a task with these parameters.
#[must_use]
pub fn is_judged(params: &Value) -> bool {
    !params[CHECK][JUDGE].is_null()
}

/// A parameter that the wrapped executor does not get.
pub(super) fn taken(params: &mut Value, key: &str) -> Option<Value> {
    params.as_object_mut()?.remove(key)
}

/// Lets a command read the whole standard output of a parent that has it as bytes.
pub(super) fn pass_bytes(params: &mut Value, input: &TaskInput) {
    let Some(fields) = params.as_object_mut() else {
        return;
    };
    let text = fields.get("stdin").and_then(Value::as_str);
    let template = text.and_then(|text| Template::parse(text).ok());
    let sole = template.and_then(|template| sole_field(template.sole()?));
    let Some((name, _)) = sole.filter(|(_, field)| field == "stdout") else {
        return;
    };
    let output = (input.parents.get(&name)).and_then(|parent| parent.output.as_ref());
    if output.is_some_and(|output| output.blobs.contains_key("stdout")) {
        fields.remove("stdin");
        fields.insert("stdin_from".to_owned(), name.into());
    }
}
