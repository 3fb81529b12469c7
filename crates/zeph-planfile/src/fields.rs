//! Fields: reading the keys of a table and values of known types, and saying what does not fit.

use std::time::Duration;

use serde_json::Number;
use zeph_graph::wire::Code;

use crate::errors::PlanCode;
use crate::node::{Entry, Node, Value};
use crate::place::{Place, Problems, show};

/// The keys of a table.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) place: Place,
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// Opens a table that may have these keys; others are reported.
    pub(crate) fn open(
        node: &'a Node,
        what: &str,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let fields = Self::open_any(node, what, problems)?;
        for entry in fields.entries {
            if !known.contains(&entry.key.as_str()) && !problems.is_full() {
                let near = problems.near(&entry.key, known.iter().copied());
                let message = format!("{what} has no key {}", show(&entry.key));
                let noted = problems.add(PlanCode::UnknownKey, entry.key_place, message);
                match near {
                    Some(_) => noted.suggest(near),
                    None => noted.help(format!("known are {}", listed(known))),
                }
            }
        }
        Some(fields)
    }

    /// Opens a table whose keys are names.
    pub(crate) fn open_any(node: &'a Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let Value::Table(entries) = &node.value else {
            wrong_type(node, what, "a table", problems);
            return None;
        };
        Some(Self {
            place: node.place,
            entries,
        })
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn entries(&self) -> &'a [Entry] {
        self.entries
    }
}

/// The keys as `` `a`, `b` ``.
pub(crate) fn listed(known: &[&str]) -> String {
    let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    known.join(", ")
}

pub(crate) fn wrong_type(node: &Node, what: &str, wanted: &str, problems: &mut Problems) {
    let message = format!("{what} must be {wanted}, and this is {}", node.kind());
    problems.add(PlanCode::WrongType, node.place, message);
}

/// A text; NUL characters are refused, because no program can be given one.
pub(crate) fn text<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> Option<&'a str> {
    let Value::Text(text) = &node.value else {
        wrong_type(node, what, "a text", problems);
        return None;
    };
    if text.contains('\0') {
        let message = format!("{what} has a NUL character");
        problems.add(PlanCode::BadValue, node.place, message);
        return None;
    }
    Some(text)
}

pub(crate) fn list<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> Option<&'a [Node]> {
    let Value::List(items) = &node.value else {
        wrong_type(node, what, "a list", problems);
        return None;
    };
    Some(items)
}

pub(crate) fn boolean(node: &Node, what: &str, problems: &mut Problems) -> Option<bool> {
    let Value::Bool(value) = &node.value else {
        wrong_type(node, what, "true or false", problems);
        return None;
    };
    Some(*value)
}

/// A whole number in a range.
pub(crate) fn integer<T: TryFrom<i64> + PartialOrd + std::fmt::Display>(
    node: &Node,
    what: &str,
    (least, most): (T, T),
    problems: &mut Problems,
) -> Option<T> {
    let Value::Number(number) = &node.value else {
        wrong_type(node, what, "a whole number", problems);
        return None;
    };
    if number.is_f64() {
        wrong_type(node, what, "a whole number", problems);
        return None;
    }
    let value = Number::as_i64(number).and_then(|number| T::try_from(number).ok());
    let value = value.filter(|value| (&least..=&most).contains(&value));
    if value.is_none() {
        let message = format!("{what} must be between {least} and {most}, and is {number}");
        problems.add(PlanCode::BadValue, node.place, message);
    }
    value
}

/// One of some words.
pub(crate) fn word<T: Copy>(
    node: &Node,
    what: &str,
    words: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let given = text(node, what, problems)?;
    let found = words.iter().find(|(word, _)| *word == given);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("{what} cannot be {}", show(given));
        let near = problems.near(given, known.iter().copied());
        let noted = problems.add(PlanCode::BadValue, node.place, message);
        match near {
            Some(_) => noted.suggest(near),
            None => noted.help(format!("known are {}", listed(&known))),
        }
    }
    found.map(|(_, value)| *value)
}

/// A duration such as `1h 30m`, in microseconds; zero is refused.
pub(crate) fn micros(node: &Node, what: &str, problems: &mut Problems) -> Option<u64> {
    let micros = micros_or_zero(node, what, problems)?;
    if micros == 0 {
        let message = format!("{what} is zero");
        problems
            .add(PlanCode::Graph(Code::ZeroTimeout), node.place, message)
            .help("leave it out for no limit");
        return None;
    }
    Some(micros)
}

/// A duration such as `1h 30m`, in microseconds.
pub(crate) fn micros_or_zero(node: &Node, what: &str, problems: &mut Problems) -> Option<u64> {
    let Value::Text(given) = &node.value else {
        let message = format!("{what} must be a duration, and this is {}", node.kind());
        problems
            .add(PlanCode::BadDuration, node.place, message)
            .help("write a text with a unit, such as \"30s\", \"5m\" or \"1h 30m\"");
        return None;
    };
    match humantime::parse_duration(given) {
        Ok(duration) => Some(as_micros(duration)),
        Err(error) => {
            let message = format!("{what} is not a duration: {}: {error}", show(given));
            problems
                .add(PlanCode::BadDuration, node.place, message)
                .help("write a number with a unit, such as \"30s\", \"5m\" or \"1h 30m\"");
            None
        }
    }
}

/// Rounded up, so that what is not zero stays so.
fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// Whether a text can name a task, a parameter or a lane: `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
pub(crate) fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    begins && text.len() <= 64 && text.chars().all(goes_on)
}

/// Reports a key that cannot be a name.
pub(crate) fn check_name(entry: &Entry, what: &str, problems: &mut Problems) {
    if !is_name(&entry.key) {
        let message = format!("{} cannot be the name of a {what}", show(&entry.key));
        problems
            .add(PlanCode::Graph(Code::BadName), entry.key_place, message)
            .help("use 1 to 64 letters, digits, '_' and '-', beginning with a letter or '_'");
    }
}
