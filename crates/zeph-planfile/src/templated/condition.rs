//! Conditions: whether a task runs.

use serde_json::Value;
use zeph_diagnostics::quote;
use zeph_executor::TaskError;

/// The parameter of a preparation that holds the condition of a task: one expression.
pub(crate) const CONDITION: &str = "when";

/// Skips the task unless its condition is true.
pub(super) fn check_condition(condition: &Value, value: &Value) -> Result<(), TaskError> {
    // A condition over parameters only has its value since the run was created.
    let condition = match condition.as_str() {
        Some(text) if text.contains("${{") => format!("its condition {text}"),
        Some(_) | None => "its condition".to_owned(),
    };
    match value.as_str() {
        Some("true") => Ok(()),
        Some("false") => Err(TaskError::skip(format!("{condition} is false"))),
        Some(_) | None => {
            let text = zeph_common::truncate(
                value.as_str().unwrap_or_default(),
                80,
                zeph_common::Boundary::Word,
            );
            let text = quote(&text.to_string());
            let message = format!("{condition} is {text}, and not true or false");
            Err(TaskError::permanent(message).with_code("expression_failed"))
        }
    }
}
