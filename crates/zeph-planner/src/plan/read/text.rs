//! The text of an answer: finds the value that may be a plan.

use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_diagnostics::quote;
use zeph_llm::{JsonError, ReadJson, Tolerated, read_finished_json, read_json, read_json_values};

use super::Ending;
use super::unwrap::{
    Beside, Wrapped, beside, from_lines, has_plan, is_one_of_several, may_be_tasks, plans,
};
use crate::plan::PlanLimits;
use crate::plan::finding::{Findings, code, repair};

/// The most bytes of an answer, even if the limits of the host are higher.
const MAX_BYTES: usize = 16 << 20;
/// The help for an answer that is not one plan.
const ONE_OBJECT: &str = "answer with one JSON object and nothing else: {\"reasoning\": \"…\", \"tasks\": [{\"name\": \"…\", …}]}";

/// The value that may be a plan, and what stands around it.
pub(super) struct Answer {
    pub(super) value: Value,
    pub(super) around: Vec<Beside>,
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        let around = Vec::new();
        Self { value, around }
    }
}

/// The value that may be a plan; `None` after a problem.
pub(super) fn answer(
    text: &str,
    ending: Ending,
    limits: &PlanLimits,
    found: &mut Findings,
) -> Option<Answer> {
    let max_bytes = limits.max_bytes.min(MAX_BYTES);
    let read = match ending {
        Ending::Finished => read_finished_json(text, max_bytes, has_plan),
        Ending::Unknown | Ending::Cut => read_json(text, max_bytes, has_plan),
    };
    let is_usable = read.as_ref().is_ok_and(|read| has_plan(&read.value));
    if !is_usable
        && ending != Ending::Cut
        && let Ok((values, tolerated)) = read_json_values(text, max_bytes)
        && let Some(plan) = from_lines(&values)
    {
        tell(&tolerated, found);
        let message = "the objects were read as the tasks";
        found.repair(repair::WRAPPED_LIST, "", message);
        return Some(Answer::from(plan));
    }
    if !is_usable
        && let Some(inner) = without_escapes(text)
        && let Ok(read) = read_json(&inner, max_bytes, has_plan)
        && has_plan(&read.value)
    {
        let message = "the plan is in a JSON string without its quotes";
        found.repair(repair::TOLERATED_TEXT, "", message);
        tell(&read.tolerated, found);
        return one_plan(&inner, max_bytes, read, found);
    }
    let read = match read {
        Ok(read) => read,
        Err(error) => {
            refuse(text, &error, ending, found);
            return None;
        }
    };
    let mut broken = None;
    for one in &read.tolerated {
        if let Tolerated::Broken { at } = one {
            broken.get_or_insert(*at);
        }
    }
    // A value after broken JSON is probably a part of it.
    if let Some(at) = broken.filter(|_| !is_usable) {
        let message = format!("the JSON is broken: {}", around(text, at));
        let help = "write correct JSON: double quotes, commas, closing brackets";
        found.problem(code::SYNTAX, "", message, help);
        return None;
    }
    if !is_usable && is_prose(&read) {
        let message = "the answer contains no plan";
        found.problem(code::NO_JSON, "", message, ONE_OBJECT);
        return None;
    }
    tell(&read.tolerated, found);
    one_plan(text, max_bytes, read, found)
}

/// The text in a JSON string that has lost the quotes around it: `{\"tasks\": …}`.
fn without_escapes(text: &str) -> Option<String> {
    let text = text.trim();
    let is_escaped = text.starts_with("{\\\"") || text.starts_with("{\\n");
    let quoted = format!("\"{}\"", text.replace('\n', "\\n"));
    is_escaped
        .then(|| serde_json::from_str(&quoted).ok())
        .flatten()
}

/// Whether the answer is prose, and the value in it is something in brackets.
fn is_prose(read: &ReadJson) -> bool {
    let in_prose = read
        .tolerated
        .iter()
        .any(|one| matches!(one, Tolerated::Prose { .. }));
    let is_tasks = |list: &Vec<Value>| !list.is_empty() && list.iter().all(Value::is_object);
    in_prose && read.value.as_array().is_some_and(|list| !is_tasks(list))
}

fn tell(tolerated: &[Tolerated], found: &mut Findings) {
    for one in tolerated {
        found.repair(repair::TOLERATED_TEXT, "", one.to_string());
    }
}

/// The only plan in a value; the value itself if there is none, so that the problems are those of a plan.
fn one_plan(text: &str, max_bytes: usize, read: ReadJson, found: &mut Findings) -> Option<Answer> {
    let inner = plans(&read.value);
    let has_another = is_one_of_several(&read.tolerated) && !inner.is_empty() && {
        // Two different plans are ambiguous, and so is a part of a plan beside a plan.
        let is_another = |other: &Value| {
            let others = plans(other);
            let is_same = |other: &Wrapped<'_>| inner.iter().any(|one| one.plan == other.plan);
            match others.is_empty() {
                true => may_be_tasks(other),
                false => !others.iter().all(is_same),
            }
        };
        let other = read_json(text, max_bytes, is_another).map(|read| read.value);
        other.is_ok_and(|other| is_another(&other))
    };
    if inner.len() > 1 || has_another {
        let message = "the answer contains several plans, or parts of several";
        found.problem(code::SEVERAL_PLANS, "", message, ONE_OBJECT);
        return None;
    }
    let Some(one) = inner.into_iter().next() else {
        return Some(Answer::from(read.value));
    };
    let around = one.at.iter().flat_map(|at| beside(&read.value, at));
    let around = around.collect();
    if let Some(at) = one.at.first().filter(|at| !at.is_empty()) {
        let message = format!("the plan is at {}", quote(at));
        found.repair(repair::TOLERATED_TEXT, "", message);
    } else if read.value.is_string() {
        found.repair(repair::TOLERATED_TEXT, "", "the plan is in a JSON string");
    }
    let value = one.plan.into_owned();
    Some(Answer { value, around })
}

fn refuse(text: &str, error: &JsonError, end: Ending, found: &mut Findings) {
    const SHORTER: &str = "make a shorter plan: fewer tasks, shorter texts";
    let (code, pointer, message, help) = match error {
        JsonError::Empty => (code::EMPTY, "", error.to_string(), ONE_OBJECT),
        JsonError::NoJson => {
            let message = match notation(text) {
                Some(notation) => format!("the answer is {notation}, not JSON"),
                None => "there is no plan in the answer".to_owned(),
            };
            (code::NO_JSON, "", message, ONE_OBJECT)
        }
        JsonError::CutOff { .. } => {
            let message = format!("the answer is cut off: it ends with {}", ending(text));
            let help = match end {
                Ending::Cut => SHORTER,
                Ending::Finished | Ending::Unknown => {
                    "write the whole object again to its last bracket; if it was too long, plan fewer tasks"
                }
            };
            (code::CUT_OFF, "", message, help)
        }
        JsonError::Unclosed { .. } => {
            let message = format!(
                "a bracket is not closed: the answer ends with {}",
                ending(text)
            );
            let help = "write the whole object again, and close every bracket";
            (code::UNCLOSED, "", message, help)
        }
        JsonError::DuplicateKey { pointer, .. } => (
            code::DUPLICATE_KEY,
            &**pointer,
            error.to_string(),
            "write each field once",
        ),
        JsonError::NotANumber { text: word, at } => {
            let message = format!("{word} is no JSON number: {}", around(text, *at));
            (code::NOT_A_NUMBER, "", message, "write a number or null")
        }
        JsonError::TooDeep { .. } => {
            let message = "brackets are nested too deeply".to_owned();
            (
                code::NESTED_TOO_DEEPLY,
                "",
                message,
                "write a flat list of tasks",
            )
        }
        JsonError::TooLarge { .. } => (code::TOO_LARGE, "", error.to_string(), SHORTER),
        JsonError::Syntax { at, why } => {
            let message = format!("{why}: {}", around(text, *at));
            let help = "write correct JSON: double quotes around every key and text, \\\" inside a text, \
                        commas between fields";
            (code::SYNTAX, "", message, help)
        }
    };
    // The message may quote a key of any length.
    let message = truncate(&escape_terminal(&message), 300, Boundary::Char).to_string();
    found.problem(code, pointer, message, help);
}

/// The notation of a text that has no JSON, if it looks like one.
fn notation(text: &str) -> Option<&'static str> {
    let has_line = |is: fn(&str) -> bool| text.lines().any(|line| is(line.trim()));
    if has_line(|line| {
        line.starts_with("<tasks") || line.starts_with("<plan") || line.starts_with("<task")
    }) {
        Some("XML")
    } else if has_line(|line| line.starts_with("[[tasks]]") || line.starts_with("[tasks")) {
        Some("TOML")
    } else if has_line(|line| line.ends_with("tasks:") || line.starts_with("- name:")) {
        Some("YAML")
    } else if has_line(|line| {
        line.starts_with("# ")
            || line.starts_with("## ")
            || line.starts_with("- ")
            || line.starts_with("1. ")
            || line.starts_with('|')
    }) {
        Some("Markdown")
    } else {
        None
    }
}

/// The text around a place, with a mark at it: a model cannot count bytes.
fn around(text: &str, at: usize) -> String {
    const BEFORE: usize = 50;
    const AFTER: usize = 30;
    let at = text.floor_char_boundary(at.min(text.len()));
    let start = text.ceil_char_boundary(at.saturating_sub(BEFORE));
    let end = text.floor_char_boundary((at + AFTER).min(text.len()));
    let (before, after) = (one_line(&text[start..at]), one_line(&text[at..end]));
    match (before.is_empty(), after.is_empty()) {
        (_, true) => format!("at the end, after `{before}`"),
        (true, false) => format!("at the beginning, before `{after}`"),
        (false, false) => format!("after `{before}`, before `{after}`"),
    }
}

fn ending(text: &str) -> String {
    const SHOWN: usize = 50;
    let text = text.trim_end();
    let start = text.ceil_char_boundary(text.len().saturating_sub(SHOWN));
    format!("`{}`", one_line(&text[start..]))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
