//! The text of an answer: finds the JSON value that may be a plan.

use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_llm::{JsonError, ReadJson, Tolerated, read_json};

use crate::plan::PlanLimits;
use crate::plan::finding::{Findings, code, repair};

/// The longest answer that is read, whatever the host allows.
const MAX_BYTES: usize = 16 << 20;
/// The help for an answer with something else than one plan.
const ONE_OBJECT: &str = "answer with one JSON object and nothing else";

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
    let (mut in_prose, mut has_others, mut broken) = (false, false, None);
    for one in &tolerated {
        in_prose |= matches!(one, Tolerated::Prose { .. });
        has_others |= matches!(one, Tolerated::Others { .. });
        if let Tolerated::Broken { at } = one {
            broken.get_or_insert(at);
        }
    }
    // A value after broken JSON is probably a part of it.
    if let Some(at) = broken.filter(|_| !is_plan(&value)) {
        let message = format!("the JSON that begins at byte {at} is broken");
        let help = "write correct JSON: double quotes, commas, closing brackets";
        found.problem(code::SYNTAX, "", message, help);
        return None;
    }
    let is_tasks = |list: &Vec<Value>| !list.is_empty() && list.iter().all(Value::is_object);
    if in_prose && value.as_array().is_some_and(|list| !is_tasks(list)) {
        let message = "the answer contains no plan";
        found.problem(code::NO_JSON, "", message, ONE_OBJECT);
        return None;
    }
    for one in &tolerated {
        found.repair(repair::TOLERATED_TEXT, "", one.to_string());
    }
    if has_others {
        // Two different plans are ambiguous; other values beside a plan are not.
        let another = |other: &Value| is_plan(other) && *other != value;
        let other = read_json(text, max_bytes, another).map(|read| read.value);
        if other.is_ok_and(|other| another(&other)) {
            let message = "the answer contains several different plans";
            found.problem(code::SEVERAL_PLANS, "", message, ONE_OBJECT);
            return None;
        }
    }
    Some(value)
}

fn is_plan(value: &Value) -> bool {
    value.get("tasks").is_some_and(|tasks| !tasks.is_null())
}

fn refuse(error: &JsonError, found: &mut Findings) {
    const SHORTER: &str = "make a shorter plan: fewer tasks, shorter texts";
    let (code, pointer, help) = match error {
        JsonError::Empty => (code::EMPTY, "", ONE_OBJECT),
        JsonError::NoJson => (code::NO_JSON, "", ONE_OBJECT),
        JsonError::CutOff { .. } => (code::CUT_OFF, "", SHORTER),
        JsonError::DuplicateKey { pointer, .. } => {
            (code::DUPLICATE_KEY, &**pointer, "write each field once")
        }
        JsonError::NotANumber { .. } => (code::NOT_A_NUMBER, "", "write a number or null"),
        JsonError::TooDeep { .. } => (code::NESTED_TOO_DEEPLY, "", "write a flat list of tasks"),
        JsonError::TooLarge { .. } => (code::TOO_LARGE, "", SHORTER),
        JsonError::Syntax { .. } => (code::SYNTAX, "", "write correct JSON"),
    };
    // The message may quote a key of any length.
    let message = error.to_string();
    let message = truncate(&escape_terminal(&message), 300, Boundary::Char).to_string();
    found.problem(code, pointer, message, help);
}
