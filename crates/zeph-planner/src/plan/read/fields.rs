//! The fields of one object: typed access that repairs values of the wrong form.

use serde_json::{Map, Value};
use zeph_diagnostics::{Code, quote};

use super::words::fold;
use crate::plan::finding::{Findings, code, repair};

/// Whether a text is one that models write instead of null.
pub(super) fn is_null_text(text: &str) -> bool {
    const NULL_TEXTS: [&str; 6] = ["", "null", "none", "n/a", "nil", "undefined"];
    NULL_TEXTS.contains(&text.trim().to_ascii_lowercase().as_str())
}

/// Whether a text is one that models write for an empty list, in a place where a name is expected.
pub(super) fn is_nothing(text: &str) -> bool {
    const NOTHING: [&str; 13] = [
        "null",
        "none",
        "n_a",
        "na",
        "nil",
        "undefined",
        "nothing",
        "no",
        "empty",
        "not_applicable",
        "no_dependencies",
        "no_needs",
        "none_needed",
    ];
    is_blank(text) || NOTHING.contains(&fold(text).as_str())
}

/// Whether a text has nothing but white space, dashes, dots and brackets.
fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_whitespace() || "-–—_.()[]".contains(c))
}

/// The fields of one object, under their own names.
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

    /// A text. A number, a boolean, a list of one and an object with nothing but a name are read as a text.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        self.scalar(field, self.get(field)?)
    }

    /// A text of any length. A list of texts is read as its lines.
    pub(super) fn lines(&mut self, field: &str) -> Option<String> {
        let value = self.get(field)?;
        let lines = value.as_array().filter(|items| items.len() > 1);
        let lines =
            lines.and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        match lines {
            Some(lines) => {
                self.repair(repair::LIST_AS_TEXT, field, "a list of texts read as lines");
                Some(lines.join("\n"))
            }
            None => self.scalar(field, value),
        }
    }

    /// A text or null. A text such as `"none"` is read as null.
    pub(super) fn optional_text(&mut self, field: &str) -> Option<String> {
        let text = self.text(field)?;
        self.unless_null(field, text)
    }

    /// The text, unless it means null.
    pub(super) fn unless_null(&mut self, field: &str, text: String) -> Option<String> {
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
            Value::String(text) => return Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => {
                let message = format!("{value} read as a text");
                self.repair(repair::SCALAR_AS_TEXT, field, message);
                return Some(value.to_string());
            }
            Value::Array(items) => {
                if let [one @ (Value::String(_) | Value::Number(_))] = items.as_slice() {
                    self.repair(repair::LIST_AS_TEXT, field, "a list of one read as a text");
                    return self.scalar(field, one);
                }
            }
            Value::Object(map) => {
                if let Some(name) = only_name(map) {
                    let message = format!("an object with a name read as {}", quote(name));
                    self.repair(repair::OBJECT_AS_TEXT, field, message);
                    return Some(name.to_owned());
                }
            }
            Value::Null => {}
        }
        let message = format!("\"{field}\" is not a text");
        self.problem(code::WRONG_TYPE, field, message, "write a text in quotes");
        None
    }

    /// A list of texts, each with its index. A single text is read as a list, and so are a list in a list, an
    /// empty object and `false`. Items without a value are dropped. `None` if the field is null or
    /// missing, or is not a list.
    pub(super) fn texts(&mut self, field: &str) -> Option<Vec<(usize, String)>> {
        match self.get(field)? {
            Value::Array(items) => Some(self.items(field, items)),
            Value::String(text) => {
                let message = format!("{} read as a list", quote(text));
                self.repair(repair::TEXT_AS_LIST, field, message);
                Some(vec![(0, text.clone())])
            }
            Value::Object(map) if map.is_empty() => Some(self.no_items(field, "{}")),
            Value::Bool(false) => Some(self.no_items(field, "false")),
            value @ (Value::Number(_) | Value::Object(_)) if names_one(value) => {
                let text = self.scalar(field, value)?;
                self.repair(repair::TEXT_AS_LIST, field, "one value read as a list");
                Some(vec![(0, text)])
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                let message = format!("\"{field}\" is not a list");
                self.problem(code::WRONG_TYPE, field, message, "write a list of texts");
                None
            }
        }
    }

    pub(super) fn no_items(&mut self, field: &str, written: &str) -> Vec<(usize, String)> {
        let message = format!("{written} read as an empty list");
        self.repair(repair::NOTHING_TEXT, field, message);
        Vec::new()
    }

    fn items(&mut self, field: &str, items: &[Value]) -> Vec<(usize, String)> {
        let mut texts = Vec::new();
        let is_blank = |item: &Value| match item {
            Value::Null => true,
            Value::String(text) => is_blank(text),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
        };
        for (index, item) in items.iter().enumerate() {
            let inner = if let Value::Array(inner) = item {
                let message = "a list in a list read as its items";
                self.repair(repair::TEXT_AS_LIST, field, message);
                inner.as_slice()
            } else {
                std::slice::from_ref(item)
            };
            for item in inner {
                let field = format!("{field}/{index}");
                if is_blank(item) {
                    self.no_items(&field, &quote(&item.to_string()));
                } else if let Some(text) = self.scalar(&field, item) {
                    texts.push((index, text));
                }
            }
        }
        texts
    }

    /// Reports every other key of an argument.
    pub(super) fn only(&mut self, others: &[super::keys::Extra], known: &[&str]) {
        for one in others {
            let field = one.key.replace('~', "~0").replace('/', "~1");
            if one.value.is_null() {
                let message = format!("{} ignored, because it has no value", quote(&one.key));
                self.repair(repair::EMPTY_FIELD, &field, message);
                continue;
            }
            let message = format!("unknown field {}", quote(&one.key));
            let help = self.found.help_for(&one.key, known.iter().copied());
            self.problem(code::UNKNOWN_FIELD, &field, message, help);
        }
    }
}

/// The name in an object that has nothing else.
fn only_name(map: &Map<String, Value>) -> Option<&str> {
    let (key, value) = map.iter().next().filter(|_| map.len() == 1)?;
    let is_name = [
        "name",
        "id",
        "task",
        "agent",
        "tool",
        "task_id",
        "task_name",
        "step",
        "title",
    ];
    is_name
        .contains(&fold(key).as_str())
        .then(|| value.as_str())?
}

/// Whether a value that is no list can be the only item of one.
fn names_one(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Object(map) => only_name(map).is_some(),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => false,
    }
}
