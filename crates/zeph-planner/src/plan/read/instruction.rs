//! The instruction of a task: every text that says what to do reaches the one who does it.
//!
//! A model that writes `prompt` and `description`, or `constraints` beside a prompt, has said both. To drop
//! one of them would change the work, and to ask again would cost a call, so the texts are joined.

use serde_json::Value;
use zeph_diagnostics::quote;

use super::fields::{Fields, is_null_text};
use super::keys::Extra;
use super::senses::{Sense, is_note, sense};
use super::words::fold;
use crate::plan::finding::{code, repair};

/// A text of the instruction, under the key that the model wrote.
pub(super) struct Part {
    pub(super) key: String,
    pub(super) value: Value,
}

/// The texts under words for a prompt, as the model ordered them, joined; equal ones once. `None` if
/// there is none.
pub(super) fn prompt(fields: &mut Fields<'_, '_>, parts: &[Part]) -> Option<String> {
    if parts.len() < 2 {
        let text = fields.lines("prompt")?;
        return fields.unless_null("prompt", text);
    }
    let mut texts: Vec<(&str, String)> = Vec::new();
    for part in parts {
        let key = quote(&part.key);
        let Some(text) = text(&part.value) else {
            let message = format!("{key} is no text, and {} is there", quote(&parts[0].key));
            let help = "write one text, in \"prompt\"";
            fields.problem(code::AMBIGUOUS, "prompt", message, help);
            continue;
        };
        if is_null_text(&text) {
            let message = format!("{key} ignored, because it has no value");
            fields.repair(repair::EMPTY_FIELD, "prompt", message);
        } else if let Some((same, _)) = texts.iter().find(|(_, one)| plain(one) == plain(&text)) {
            let message = format!("{key} ignored, because {} says the same", quote(same));
            fields.repair(repair::IGNORED_FIELD, "prompt", message);
        } else {
            texts.push((&part.key, text));
        }
    }
    if texts.len() > 1 {
        let keys: Vec<String> = texts.iter().map(|(key, _)| quote(key)).collect();
        let message = format!("{} joined to one instruction", keys.join(" and "));
        fields.repair(repair::JOINED_TEXT, "prompt", message);
    }
    let texts: Vec<String> = texts.into_iter().map(|(_, text)| text).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

/// Adds what stands under other words for a part of the instruction. A command takes no instruction but
/// notes about it, so its other keys are left to be judged.
pub(super) fn details(
    fields: &mut Fields<'_, '_>,
    prompt: Option<String>,
    others: &mut [Extra],
    is_command: bool,
) -> Option<String> {
    let mut prompt = prompt?;
    for one in others {
        let folded = fold(&one.key);
        // A text in the place of an object of remarks is none.
        let is_part = matches!(sense(&folded, true), Sense::Instruction | Sense::Container);
        let is_part = is_part && (!is_command || is_note(&folded));
        let Some(text) = detail(&one.value).filter(|_| is_part) else {
            continue;
        };
        one.is_read = true;
        let message = format!("{} added to the instruction", quote(&one.key));
        fields.repair(repair::JOINED_TEXT, "prompt", message);
        let key = one.key.trim();
        prompt = format!("{}\n\n{key}: {text}", prompt.trim_end());
    }
    Some(prompt)
}

/// A text without the differences that say nothing.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    text.trim_end_matches(['.', '!', ':']).to_owned()
}

/// The text of a value; the lines of a list of texts.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) => {
            let lines: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            Some(lines?.join("\n"))
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

/// The text of a detail, a list as one; `None` without a text.
fn detail(value: &Value) -> Option<String> {
    let text = text(value).filter(|text| !is_null_text(text))?;
    match value {
        Value::Array(items) if items.len() > 1 => {
            Some(format!("\n- {}", text.replace('\n', "\n- ")))
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Some(text),
    }
}
