//! The fields of one object: typed access that repairs values of the wrong form.

use serde_json::{Map, Value};
use zeph_diagnostics::{Code, quote};

use crate::plan::finding::{Findings, code, repair};

/// Fields with a state or a result, which a plan cannot set.
const STATE_FIELDS: [&str; 17] = [
    "state",
    "status",
    "result",
    "results",
    "output",
    "outcome",
    "outputs",
    "error",
    "errors",
    "attempt",
    "attempts",
    "started_at",
    "finished_at",
    "completed",
    "completed_at",
    "done",
    "progress",
];
/// Texts that models write instead of null.
pub(in crate::plan::read) const NULL_TEXTS: [&str; 6] =
    ["", "null", "none", "n/a", "nil", "undefined"];

/// The fields of one object.
pub(super) struct Fields<'a, 'f> {
    /// The JSON pointer of the object.
    at: String,
    map: &'a Map<String, Value>,
    found: &'f mut Findings,
}

impl<'a, 'f> Fields<'a, 'f> {
    pub(super) fn new(
        at: impl Into<String>,
        map: &'a Map<String, Value>,
        found: &'f mut Findings,
    ) -> Self {
        Self {
            at: at.into(),
            map,
            found,
        }
    }

    pub(super) fn pointer(&self, field: &str) -> String {
        format!("{}/{}", self.at, escape(field))
    }

    pub(super) fn found(&mut self) -> &mut Findings {
        self.found
    }

    /// The value of a field; `None` if it is null or absent.
    pub(super) fn get(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn problem(
        &mut self,
        code: Code,
        field: &str,
        message: impl Into<String>,
        help: &str,
    ) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.found.problem(code, self.pointer(field), message, help);
    }

    /// Records which of some fields are missing.
    pub(super) fn absent(&mut self, fields: &[&str]) {
        let absent: Vec<&str> = fields
            .iter()
            .filter(|field| !self.map.contains_key(**field))
            .copied()
            .collect();
        if !absent.is_empty() {
            let message = format!("{} missing, read as null", absent.join(", "));
            self.found.repair(repair::ABSENT_FIELD, &self.at, message);
        }
    }

    /// A text. A number or a boolean is read as a text.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        let value = self.get(field)?;
        let text = self.scalar(self.pointer(field), value);
        if text.is_none() {
            let message = format!("\"{field}\" is not a text");
            self.problem(code::WRONG_TYPE, field, message, "write a text in quotes");
        }
        text
    }

    /// A text or null. A text such as `"none"` is read as null.
    pub(super) fn optional_text(&mut self, field: &str) -> Option<String> {
        let text = self.text(field)?;
        let folded = text.trim().to_ascii_lowercase();
        if NULL_TEXTS.contains(&folded.as_str()) {
            let message = format!("{} read as null", quote(&text));
            self.found
                .repair(repair::NOTHING_TEXT, self.pointer(field), message);
            return None;
        }
        Some(text)
    }

    fn scalar(&mut self, pointer: String, value: &Value) -> Option<String> {
        let text = match value {
            Value::String(text) => return Some(text.clone()),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let message = format!("{text} read as a text");
        self.found.repair(repair::SCALAR_AS_TEXT, pointer, message);
        Some(text)
    }

    /// A list of texts, each with its index; a single text is read as a list. `None` if the field is
    /// null, missing or not a list.
    pub(super) fn texts(&mut self, field: &str) -> Option<Vec<(usize, String)>> {
        let items = match self.get(field)? {
            Value::Array(items) => items,
            Value::String(text)
                if NULL_TEXTS.contains(&text.trim().to_ascii_lowercase().as_str()) =>
            {
                let message = format!("{} read as null", quote(text));
                self.found
                    .repair(repair::NOTHING_TEXT, self.pointer(field), message);
                return None;
            }
            Value::String(text) => {
                let message = format!("{} read as a list", quote(text));
                self.found
                    .repair(repair::TEXT_AS_LIST, self.pointer(field), message);
                return Some(vec![(0, text.clone())]);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                let message = format!("\"{field}\" is not a list");
                self.problem(code::WRONG_TYPE, field, message, "write a list of texts");
                return None;
            }
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let pointer = format!("{}/{field}/{index}", self.at);
            match self.scalar(pointer.clone(), item) {
                Some(text) => texts.push((index, text)),
                None => {
                    let message = format!("an item of \"{field}\" is not a text");
                    let help = Some("write texts in quotes".to_owned());
                    self.found.problem(code::WRONG_TYPE, pointer, message, help);
                }
            }
        }
        Some(texts)
    }

    /// A text without invisible characters.
    pub(super) fn visible(&mut self, field: &str, text: String) -> String {
        let plain = zeph_common::plain_text(&text);
        if *plain.text == *text {
            return text;
        }
        let message = "invisible characters removed";
        self.found
            .repair(repair::HIDDEN_CHARACTERS, self.pointer(field), message);
        plain.text.into_owned()
    }

    /// Reports every other field.
    pub(super) fn only(&mut self, known: &[&str]) {
        for (field, value) in self.map {
            if known.contains(&field.as_str()) {
                continue;
            }
            if is_empty(value) {
                let message = format!("{} ignored, because it has no value", quote(field));
                self.found
                    .repair(repair::EMPTY_FIELD, self.pointer(field), message);
                continue;
            }
            let (code, message, help) =
                if STATE_FIELDS.contains(&field.to_ascii_lowercase().as_str()) {
                    let message = format!("a plan cannot set {}", quote(field));
                    let help = "describe the work, not its state or result".to_owned();
                    (code::STATE_FIELD, message, Some(help))
                } else {
                    let message = format!("unknown field {}", quote(field));
                    (
                        code::UNKNOWN_FIELD,
                        message,
                        self.found.help_for(field, known.iter().copied()),
                    )
                };
            let pointer = self.pointer(field);
            self.found.problem(code, pointer, message, help);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A key as a segment of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
