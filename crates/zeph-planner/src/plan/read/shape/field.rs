//! Fields: reading the values of one object, mending how they are written.

use serde_json::{Map, Value};

use crate::plan::finding::{Findings, show, suggest};
use crate::plan::{PlanCode, RepairCode};

/// Fields that say what became of something. A plan has no say in that.
const STATE: [&str; 17] = [
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
/// Texts that models write where they mean null.
pub(in crate::plan::read) const NOTHING: [&str; 6] =
    ["", "null", "none", "n/a", "nil", "undefined"];

/// The fields of one object.
pub(super) struct Fields<'a, 'f> {
    /// The pointer of the object.
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
        code: PlanCode,
        field: &str,
        message: impl Into<String>,
        help: &str,
    ) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.found.problem(code, self.pointer(field), message, help);
    }

    /// Notes which of some fields are not there at all.
    pub(super) fn absent(&mut self, fields: &[&str]) {
        let absent: Vec<&str> = fields
            .iter()
            .filter(|field| !self.map.contains_key(**field))
            .copied()
            .collect();
        if !absent.is_empty() {
            let message = format!("{} left out, taken as null", absent.join(", "));
            self.found
                .repair(RepairCode::AbsentField, &self.at, message);
        }
    }

    /// A text; numbers and truth values are taken as they are written.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        let value = self.get(field)?;
        let text = self.scalar(field, value);
        if text.is_none() {
            let message = format!("\"{field}\" is no text");
            self.problem(
                PlanCode::WrongType,
                field,
                message,
                "write a text in quotes",
            );
        }
        text
    }

    /// A text where null is possible: words that stand for nothing count as null.
    pub(super) fn optional_text(&mut self, field: &str) -> Option<String> {
        let text = self.text(field)?;
        let folded = text.trim().to_ascii_lowercase();
        if NOTHING.contains(&folded.as_str()) {
            let message = format!("{} taken as null", show(&text));
            self.found
                .repair(RepairCode::NothingText, self.pointer(field), message);
            return None;
        }
        Some(text)
    }

    fn scalar(&mut self, field: &str, value: &Value) -> Option<String> {
        let text = match value {
            Value::String(text) => return Some(text.clone()),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let message = format!("{text} taken as a text");
        self.found
            .repair(RepairCode::ScalarAsText, self.pointer(field), message);
        Some(text)
    }

    /// A list of texts, each with its place; a single text is a list of one. `None` if it is null,
    /// absent or no list.
    pub(super) fn texts(&mut self, field: &str) -> Option<Vec<(usize, String)>> {
        let items = match self.get(field)? {
            Value::Array(items) => items,
            Value::String(text) if NOTHING.contains(&text.trim().to_ascii_lowercase().as_str()) => {
                let message = format!("{} taken as null", show(text));
                self.found
                    .repair(RepairCode::NothingText, self.pointer(field), message);
                return None;
            }
            Value::String(text) => {
                let message = format!("{} taken as a list of one", show(text));
                self.found
                    .repair(RepairCode::TextAsList, self.pointer(field), message);
                return Some(vec![(0, text.clone())]);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                let message = format!("\"{field}\" is no list");
                self.problem(PlanCode::WrongType, field, message, "write a list of texts");
                return None;
            }
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let inner = format!("{field}/{index}");
            match self.scalar_at(&inner, item) {
                Some(text) => texts.push((index, text)),
                None => {
                    let pointer = format!("{}/{inner}", self.at);
                    let message = format!("an entry of \"{field}\" is no text");
                    let help = Some("write texts in quotes".to_owned());
                    self.found
                        .problem(PlanCode::WrongType, pointer, message, help);
                }
            }
        }
        Some(texts)
    }

    fn scalar_at(&mut self, inner: &str, value: &Value) -> Option<String> {
        // The pointer of an entry is made of the field's and its index, so nothing is escaped.
        let before = self.found.repairs.len();
        let text = self.scalar("", value);
        if let Some(repair) = self.found.repairs.get_mut(before) {
            repair.pointer = format!("{}/{inner}", self.at);
        }
        text
    }

    /// A text without characters that a reader does not see.
    pub(super) fn visible(&mut self, field: &str, text: String) -> String {
        let plain = zeph_common::plain_text(&text);
        if *plain.text == *text {
            return text;
        }
        let message = "hidden characters removed";
        self.found
            .repair(RepairCode::HiddenCharacters, self.pointer(field), message);
        plain.text.into_owned()
    }

    /// Reports every field that is none of these.
    pub(super) fn only(&mut self, known: &[&str]) {
        for (field, value) in self.map {
            if known.contains(&field.as_str()) {
                continue;
            }
            if says_nothing(value) {
                let message = format!("{} left out, for it says nothing", show(field));
                self.found
                    .repair(RepairCode::EmptyField, self.pointer(field), message);
                continue;
            }
            let (code, message, help) = if STATE.contains(&field.to_ascii_lowercase().as_str()) {
                let message = format!("a plan cannot set {}", show(field));
                let help = "say what is to be done, not what became of it".to_owned();
                (PlanCode::StateField, message, Some(help))
            } else {
                let message = format!("there is no field {}", show(field));
                (
                    PlanCode::UnknownField,
                    message,
                    suggest(field, known.iter().copied()),
                )
            };
            let pointer = self.pointer(field);
            self.found.problem(code, pointer, message, help);
        }
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A key as a part of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
