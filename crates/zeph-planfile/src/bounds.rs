//! Bounds: the `pattern` of texts and the `min` and `max` of numbers that a parameter accepts.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value;
use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Table, Value as NodeValue, quote};

use crate::code;
use crate::param::ParamKind;

/// The limits of a parameter's value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    /// The pattern as written, and compiled to match whole texts.
    pattern: Option<(String, Regex)>,
    min: Option<Value>,
    max: Option<Value>,
}

impl Bounds {
    /// Reads `pattern`, `min` and `max` of a parameter of that type.
    pub(crate) fn read(fields: &Table<'_>, kind: ParamKind, problems: &mut Diagnostics) -> Self {
        let is_number = matches!(kind, ParamKind::Number | ParamKind::Integer);
        let mut allowed = |key: &str, fits: bool, who: &str| {
            let entry = fields.entry(key)?;
            if fits {
                return Some(&entry.node);
            }
            let message = format!("`{key}` has no meaning for the type `{}`", kind.word());
            let one = Diagnostic::new(code::MISPLACED_KEY, message).at(entry.key_span);
            problems.push(one.help(format!("only {who} have it")));
            None
        };
        let pattern = allowed("pattern", kind == ParamKind::String, "strings");
        let min = allowed("min", is_number, "numbers");
        let max = allowed("max", is_number, "numbers");
        let bounds = Self {
            pattern: pattern.and_then(|node| compiled(node, problems)),
            min: min.and_then(|node| limit(node, "`min`", problems)),
            max: max.and_then(|node| limit(node, "`max`", problems)),
        };
        if let (Some(least), Some(most), Some(node)) = (&bounds.min, &bounds.max, max)
            && compare(least, most) == Some(Ordering::Greater)
        {
            let message = format!("`max` ({most}) is below `min` ({least})");
            problems.push(Diagnostic::new(code::BAD_VALUE, message).at(node.span));
        }
        bounds
    }

    /// Why a value is outside, as the end of a sentence that begins with the value.
    pub(crate) fn refuses(&self, value: &Value) -> Option<String> {
        if let (Some((pattern, regex)), Some(text)) = (&self.pattern, value.as_str())
            && !regex.is_match(text)
        {
            return Some(format!("does not match the pattern {}", quote(pattern)));
        }
        let order = |limit: &Option<Value>| compare(value, limit.as_ref()?);
        let outside =
            order(&self.min) == Some(Ordering::Less) || order(&self.max) == Some(Ordering::Greater);
        outside.then(|| match (&self.min, &self.max) {
            (Some(least), Some(most)) => format!("is not from {least} to {most}"),
            (Some(least), None) => format!("is below {least}"),
            (None, most) => format!("is above {}", most.as_ref().unwrap_or(&Value::Null)),
        })
    }
}

fn compiled(node: &Node, problems: &mut Diagnostics) -> Option<(String, Regex)> {
    let pattern = node.string("`pattern`", problems)?;
    match Regex::new(&format!("^(?:{pattern})$")) {
        Ok(regex) => Some((pattern.to_owned(), regex)),
        Err(_) => {
            // The message of the error is about the pattern with its anchors, so the pattern is read again.
            let why = Regex::new(pattern).err().map(|error| error.to_string());
            let why = why.unwrap_or_default();
            let why = why.lines().last().unwrap_or_default();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            let message = format!("`pattern` is not a regular expression: {why}");
            let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
            problems
                .push(one.help("write one such as \"v[0-9]+\"; it has to match the whole value"));
            None
        }
    }
}

fn limit(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Value> {
    if matches!(node.value, NodeValue::Integer(_) | NodeValue::Float(_)) {
        return Some(node.to_json());
    }
    node.wrong_type(what, "a number", problems);
    None
}

/// The order of two numbers; whole ones are compared exactly.
fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}
