//! Text: where in an answer the plan is, and what was passed over to get at it.

use serde_json::Value;
use zeph_llm::{JsonError, JsonLimits, ReadJson, Tolerated, read_json_where};

use crate::plan::finding::{Findings, show};
use crate::plan::{PlanCode, PlanLimits, RepairCode};

/// No answer is read that is longer, whatever the host allows.
const MOST_BYTES: usize = 16 << 20;
/// A plan has four levels; who nests deeper writes something else.
const DEPTH: usize = 16;

/// The value that may be a plan.
pub(super) fn value(text: &str, limits: &PlanLimits, found: &mut Findings) -> Option<Value> {
    let limits = JsonLimits {
        bytes: limits.max_bytes.min(MOST_BYTES),
        depth: DEPTH,
    };
    let ReadJson { value, tolerated } = match read_json_where(text, limits, is_plan) {
        Ok(read) => read,
        Err(error) => {
            refuse(&error, found);
            return None;
        }
    };
    // What stands behind a broken piece is likely to be a part of it.
    if let Some(Tolerated::Broken { at }) = tolerated
        .iter()
        .find(|one| matches!(one, Tolerated::Broken { .. }) && !is_plan(&value))
    {
        let message = format!("the JSON that begins at byte {at} is broken");
        let help = Some("write correct JSON: double quotes, commas, closing brackets".to_owned());
        found.problem(PlanCode::Syntax, "", message, help);
        return None;
    }
    let is_tasks = |list: &Vec<Value>| !list.is_empty() && list.iter().all(Value::is_object);
    let in_prose = tolerated
        .iter()
        .any(|one| matches!(one, Tolerated::Prose { .. }));
    if in_prose && value.as_array().is_some_and(|list| !is_tasks(list)) {
        let help = Some("answer with one JSON object and nothing else".to_owned());
        found.problem(PlanCode::NoJson, "", "there is no plan in the answer", help);
        return None;
    }
    let others = tolerated
        .iter()
        .any(|one| matches!(one, Tolerated::Others { .. }));
    for one in &tolerated {
        found.repair(RepairCode::ToleratedText, "", one.to_string());
    }
    if others {
        // Only a value that is a plan itself makes it doubtful which one was meant.
        let another = |other: &Value| is_plan(other) && *other != value;
        let other = read_json_where(text, limits, another).map(|read| read.value);
        if other.is_ok_and(|other| another(&other)) {
            found.problem(
                PlanCode::SeveralPlans,
                "",
                "the answer holds several plans, and they differ",
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
        JsonError::Empty => (PlanCode::Empty, "", "answer with one JSON object"),
        JsonError::NoJson => (
            PlanCode::NoJson,
            "",
            "answer with one JSON object and nothing else",
        ),
        JsonError::CutOff { .. } => (
            PlanCode::CutOff,
            "",
            "make a shorter plan: fewer tasks, shorter texts",
        ),
        JsonError::DuplicateKey { pointer, key } => {
            let message = format!("the key {} is there twice", show(key));
            let help = Some("write each field once".to_owned());
            found.problem(PlanCode::DuplicateKey, pointer, message, help);
            return;
        }
        JsonError::NotANumber { .. } => (PlanCode::NotANumber, "", "write a number or null"),
        JsonError::TooDeep { .. } => (PlanCode::NestedTooDeeply, "", "write a flat list of tasks"),
        JsonError::TooLarge { .. } => (
            PlanCode::TooLarge,
            "",
            "make a shorter plan: fewer tasks, shorter texts",
        ),
        JsonError::Syntax { .. } => (PlanCode::Syntax, "", "write correct JSON"),
        _ => (PlanCode::Syntax, "", "write correct JSON"),
    };
    let message = zeph_common::escape_terminal(&error.to_string()).into_owned();
    found.problem(code, pointer, message, Some(help.to_owned()));
}
