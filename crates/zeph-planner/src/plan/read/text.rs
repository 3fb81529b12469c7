//! The text of an answer: finds the JSON value that may be a plan.

use std::borrow::Cow;

use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_diagnostics::quote;
use zeph_llm::{JsonError, ReadJson, Tolerated, read_json};

use crate::plan::PlanLimits;
use crate::plan::finding::{Findings, code, repair};

/// The most bytes of an answer, even if the limits of the host are higher.
const MAX_BYTES: usize = 16 << 20;
/// The help for an answer that is not one plan.
const ONE_OBJECT: &str = "answer with one JSON object and nothing else";

/// The value that may be a plan; `None` after a problem.
pub(super) fn value(text: &str, limits: &PlanLimits, found: &mut Findings) -> Option<Value> {
    let max_bytes = limits.max_bytes.min(MAX_BYTES);
    let text = unwrap_text(text, max_bytes, found);
    let text = &*text;
    let usable = |value: &Value| is_plan(value) || nested_plan(value).is_some();
    let ReadJson { value, tolerated } = match read_json(text, max_bytes, usable) {
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
    if let Some(at) = broken.filter(|_| !usable(&value)) {
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
        let another = |other: &Value| usable(other) && plan_in(other) != plan_in(&value);
        let other = read_json(text, max_bytes, another).map(|read| read.value);
        if other.is_ok_and(|other| another(&other)) {
            let message = "the answer contains several different plans";
            found.problem(code::SEVERAL_PLANS, "", message, ONE_OBJECT);
            return None;
        }
    }
    if let Some((field, plan)) = nested_plan(&value) {
        let message = format!("the plan is in the field {}", quote(field));
        found.repair(repair::TOLERATED_TEXT, "", message);
        return Some(plan.clone());
    }
    Some(value)
}

fn is_plan(value: &Value) -> bool {
    value.get("tasks").is_some_and(|tasks| !tasks.is_null())
}

/// The name and the value of the only field of an object that is a plan.
fn nested_plan(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|_| !is_plan(value))?;
    let mut plans = fields.iter().filter(|(_, field)| is_plan(field));
    let (name, plan) = plans.next()?;
    plans.next().is_none().then_some((name.as_str(), plan))
}

/// The plan in a value: the value itself or its only field that is a plan.
fn plan_in(value: &Value) -> &Value {
    nested_plan(value).map_or(value, |(_, plan)| plan)
}

/// The JSON text of a plan that is in a JSON string or in the notation of Python; any other text is
/// returned unchanged.
fn unwrap_text<'a>(text: &'a str, max_bytes: usize, found: &mut Findings) -> Cow<'a, str> {
    let usable = |value: &Value| is_plan(value) || nested_plan(value).is_some();
    let has_plan =
        |text: &str| read_json(text, max_bytes, usable).is_ok_and(|read| usable(&read.value));
    if text.len() > max_bytes || has_plan(text) {
        return Cow::Borrowed(text);
    }
    if text.trim_start().starts_with('"')
        && let Ok(inner) = serde_json::from_str::<String>(text.trim())
        && has_plan(&inner)
    {
        found.repair(repair::TOLERATED_TEXT, "", "the plan is in a JSON string");
        return Cow::Owned(inner);
    }
    let python = text.find('{').and_then(|start| from_python(&text[start..]));
    match python.filter(|json| has_plan(json)) {
        Some(json) => {
            found.repair(
                repair::TOLERATED_TEXT,
                "",
                "the plan has the quotes of Python",
            );
            Cow::Owned(json)
        }
        None => Cow::Borrowed(text),
    }
}

/// The Python value at the start of a text, as JSON; `None` if its end is missing.
fn from_python(text: &str) -> Option<String> {
    const WORDS: [(&str, &str); 3] = [("True", "true"), ("False", "false"), ("None", "null")];
    let mut json = String::with_capacity(text.len());
    let (mut rest, mut depth) = (text, 0_usize);
    while let Some(c) = rest.chars().next() {
        let word = WORDS.iter().find(|(python, _)| rest.starts_with(python));
        if let Some((python, word)) = word {
            json.push_str(word);
            rest = &rest[python.len()..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' | '"' => {
                let (string, after) = python_string(rest, c)?;
                json.push_str(&Value::String(string).to_string());
                rest = after;
            }
            '{' | '[' => {
                depth += 1;
                json.push(c);
            }
            '}' | ']' => {
                depth = depth.checked_sub(1)?;
                json.push(c);
                if depth == 0 {
                    return Some(json);
                }
            }
            c => json.push(c),
        }
    }
    None
}

/// The Python string up to the closing quote, and the text after the quote.
fn python_string(text: &str, quote: char) -> Option<(String, &str)> {
    let mut string = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((string, &text[at + c.len_utf8()..]));
        }
        if c != '\\' {
            string.push(c);
            continue;
        }
        match chars.next()?.1 {
            'n' => string.push('\n'),
            't' => string.push('\t'),
            'r' => string.push('\r'),
            c @ ('\\' | '\'' | '"' | '/') => string.push(c),
            // Other escapes mean different things in Python and JSON.
            _ => return None,
        }
    }
    None
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
