//! The text of an answer: finds the JSON value that may be a plan.

use serde_json::Value;
use zeph_diagnostics::quote;
use zeph_llm::{JsonError, ReadJson, Tolerated, read_json};

use crate::plan::PlanLimits;
use crate::plan::finding::{Findings, code, repair};

/// The longest answer that is read, whatever the host allows.
const MAX_BYTES: usize = 16 << 20;

/// The value that may be a plan; `None` after a problem.
pub(super) fn value(text: &str, limits: &PlanLimits, found: &mut Findings) -> Option<Value> {
    let max_bytes = limits.max_bytes.min(MAX_BYTES);
    let ReadJson { value, tolerated } = match read_json(text, max_bytes, is_plan) {
        Ok(read) => read,
        Err(error) => {
            refuse(&error, found);
            return None;
        }
    };
    // A value after broken JSON is probably a part of it.
    if let Some(Tolerated::Broken { at }) = tolerated
        .iter()
        .find(|one| matches!(one, Tolerated::Broken { .. }) && !is_plan(&value))
    {
        let message = format!("the JSON that begins at byte {at} is broken");
        let help = Some("write correct JSON: double quotes, commas, closing brackets".to_owned());
        found.problem(code::SYNTAX, "", message, help);
        return None;
    }
    let is_tasks = |list: &Vec<Value>| !list.is_empty() && list.iter().all(Value::is_object);
    let in_prose = tolerated
        .iter()
        .any(|one| matches!(one, Tolerated::Prose { .. }));
    if in_prose && value.as_array().is_some_and(|list| !is_tasks(list)) {
        let help = Some("answer with one JSON object and nothing else".to_owned());
        found.problem(code::NO_JSON, "", "the answer contains no plan", help);
        return None;
    }
    let others = tolerated
        .iter()
        .any(|one| matches!(one, Tolerated::Others { .. }));
    for one in &tolerated {
        found.repair(repair::TOLERATED_TEXT, "", one.to_string());
    }
    if others {
        // Two different plans are ambiguous; other values beside a plan are not.
        let another = |other: &Value| is_plan(other) && *other != value;
        let other = read_json(text, max_bytes, another).map(|read| read.value);
        if other.is_ok_and(|other| another(&other)) {
            found.problem(
                code::SEVERAL_PLANS,
                "",
                "the answer contains several different plans",
                Some("answer with one JSON object".to_owned()),
            );
            return None;
        }
    }
    Some(value)
}

fn is_plan(value: &Value) -> bool {
    value.get("tasks").is_some_and(|tasks| !tasks.is_null())
}

fn refuse(error: &JsonError, found: &mut Findings) {
    let (code, pointer, help) = match error {
        JsonError::Empty => (code::EMPTY, "", "answer with one JSON object"),
        JsonError::NoJson => (
            code::NO_JSON,
            "",
            "answer with one JSON object and nothing else",
        ),
        JsonError::CutOff { .. } => (
            code::CUT_OFF,
            "",
            "make a shorter plan: fewer tasks, shorter texts",
        ),
        JsonError::DuplicateKey { pointer, key } => {
            let message = format!("the key {} occurs twice", quote(key));
            let help = Some("write each field once".to_owned());
            found.problem(code::DUPLICATE_KEY, pointer, message, help);
            return;
        }
        JsonError::NotANumber { .. } => (code::NOT_A_NUMBER, "", "write a number or null"),
        JsonError::TooDeep { .. } => (code::NESTED_TOO_DEEPLY, "", "write a flat list of tasks"),
        JsonError::TooLarge { .. } => (
            code::TOO_LARGE,
            "",
            "make a shorter plan: fewer tasks, shorter texts",
        ),
        JsonError::Syntax { .. } => (code::SYNTAX, "", "write correct JSON"),
    };
    let message = zeph_common::escape_terminal(&error.to_string()).into_owned();
    found.problem(code, pointer, message, Some(help.to_owned()));
}
