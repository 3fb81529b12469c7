//! The fields of one object: typed access that repairs values of the wrong form.

use serde_json::{Map, Value};
use zeph_diagnostics::{Code, quote};

use crate::plan::finding::{Findings, code, repair};

/// Fields with a state or a result, which a plan cannot set.
const STATE_FIELDS: &str = "state status result results output outcome outputs error errors attempt \
     attempts started_at finished_at completed completed_at done progress";

/// Whether a text is one that models write instead of null.
pub(super) fn is_null_text(text: &str) -> bool {
    const NULL_TEXTS: [&str; 6] = ["", "null", "none", "n/a", "nil", "undefined"];
    NULL_TEXTS.contains(&text.trim().to_ascii_lowercase().as_str())
}

/// The fields of one object.
pub(super) struct Fields<'a, 'f> {
    /// The JSON pointer of the object.
    pub(super) at: String,
    pub(super) map: &'a Map<String, Value>,
    pub(super) found: &'f mut Findings,
}

impl<'a> Fields<'a, '_> {
    /// The JSON pointer of a field, or of a part of it.
    pub(super) fn at(&self, field: &str) -> String {
        format!("{}/{field}", self.at)
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
        help: impl Into<String>,
    ) {
        self.found.problem(code, self.at(field), message, help);
    }

    pub(super) fn repair(&mut self, code: Code, field: &str, message: impl Into<String>) {
        self.found.repair(code, self.at(field), message);
    }

    /// A text. A number or a boolean is read as a text.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        self.scalar(field, self.get(field)?)
    }

    /// A text or null. A text such as `"none"` is read as null.
    pub(super) fn optional_text(&mut self, field: &str) -> Option<String> {
        let text = self.text(field)?;
        if is_null_text(&text) {
            let message = format!("{} read as null", quote(&text));
            self.repair(repair::NOTHING_TEXT, field, message);
            return None;
        }
        Some(text)
    }

    /// A text without invisible characters.
    pub(super) fn visible(&mut self, field: &str, text: &str) -> String {
        let plain = zeph_common::plain_text(text).text;
        if plain != text {
            self.repair(
                repair::HIDDEN_CHARACTERS,
                field,
                "invisible characters removed",
            );
        }
        plain.into_owned()
    }

    fn scalar(&mut self, field: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => {
                let message = format!("{value} read as a text");
                self.repair(repair::SCALAR_AS_TEXT, field, message);
                Some(value.to_string())
            }
            Value::Null | Value::Array(_) | Value::Object(_) => {
                let message = format!("\"{field}\" is not a text");
                self.problem(code::WRONG_TYPE, field, message, "write a text in quotes");
                None
            }
        }
    }

    /// A list of texts, each with its index; a single text is read as a list. `None` if the field is
    /// null, missing or not a list.
    pub(super) fn texts(&mut self, field: &str) -> Option<Vec<(usize, String)>> {
        match self.get(field)? {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let text =
                    |(index, item)| Some((index, self.scalar(&format!("{field}/{index}"), item)?));
                Some(items.filter_map(text).collect())
            }
            Value::String(text) if is_null_text(text) => {
                let message = format!("{} read as null", quote(text));
                self.repair(repair::NOTHING_TEXT, field, message);
                None
            }
            Value::String(text) => {
                let message = format!("{} read as a list", quote(text));
                self.repair(repair::TEXT_AS_LIST, field, message);
                Some(vec![(0, text.clone())])
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                let message = format!("\"{field}\" is not a list");
                self.problem(code::WRONG_TYPE, field, message, "write a list of texts");
                None
            }
        }
    }

    /// Reports every other field.
    pub(super) fn only(&mut self, known: &[&str]) {
        for (name, value) in self.map {
            if known.contains(&name.as_str()) {
                continue;
            }
            // A key as a segment of a JSON pointer.
            let field = name.replace('~', "~0").replace('/', "~1");
            let folded = name.to_ascii_lowercase();
            if is_empty(value) {
                let message = format!("{} ignored, because it has no value", quote(name));
                self.repair(repair::EMPTY_FIELD, &field, message);
            } else if STATE_FIELDS.split_whitespace().any(|one| one == folded) {
                let message = format!("a plan cannot set {}", quote(name));
                let help = "describe the work, not its state or result";
                self.problem(code::STATE_FIELD, &field, message, help);
            } else {
                let message = format!("unknown field {}", quote(name));
                let help = self.found.help_for(name, known.iter().copied());
                self.problem(code::UNKNOWN_FIELD, &field, message, help);
            }
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
