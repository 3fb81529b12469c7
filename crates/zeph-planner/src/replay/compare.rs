//! The first difference between two JSON values.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_executor::NoteKind;

/// A difference between a replayed attempt and the recorded one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The part of the attempt that differs.
    pub place: DifferenceIn,
    /// The JSON pointer in that part; empty for the whole part.
    pub pointer: String,
    /// The recorded value, escaped for a terminal and truncated.
    pub recorded: String,
    /// The replayed value, in the same form.
    pub replayed: String,
}

/// The part of an attempt that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceIn {
    /// A note.
    Note {
        /// Its kind.
        kind: NoteKind,
        /// Its number among the notes of that kind, from 1.
        number: usize,
    },
    /// The proposed tasks.
    Proposal,
    /// The output.
    Output,
    /// The kind of end: an output or an error.
    End,
}

impl fmt::Display for DifferenceIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note { kind, number } => write!(f, "{} {number}", kind.name()),
            Self::Proposal => f.write_str("proposal"),
            Self::Output => f.write_str("output"),
            Self::End => f.write_str("end"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if !self.pointer.is_empty() {
            write!(f, " at {}", escape_terminal(&self.pointer))?;
        }
        write!(
            f,
            ": recorded {}, replayed {}",
            self.recorded, self.replayed
        )
    }
}

impl Difference {
    /// The first difference between two values; `None` if there is none. An absent key equals null.
    pub(super) fn between(place: DifferenceIn, recorded: &Value, replayed: &Value) -> Option<Self> {
        let mut pending = vec![(String::new(), recorded, replayed)];
        while let Some((pointer, recorded, replayed)) = pending.pop() {
            match (recorded, replayed) {
                (Value::Object(old), Value::Object(new)) => {
                    let absent = new.keys().filter(|key| !old.contains_key(*key));
                    let keys: Vec<&String> = old.keys().chain(absent).collect();
                    let null = &Value::Null;
                    // The last value on the stack is compared first.
                    pending.extend(keys.into_iter().rev().map(|key| {
                        let pointer = format!("{pointer}/{}", escape_pointer(key));
                        let (old, new) = (old.get(key), new.get(key));
                        (pointer, old.unwrap_or(null), new.unwrap_or(null))
                    }));
                }
                (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
                    let items = old.iter().zip(new).enumerate().rev();
                    pending.extend(
                        items.map(|(index, (old, new))| (format!("{pointer}/{index}"), old, new)),
                    );
                }
                (recorded, replayed) if recorded == replayed => {}
                (recorded, replayed) => {
                    let (recorded, replayed) = excerpts(recorded, replayed);
                    return Some(Self {
                        place,
                        pointer,
                        recorded,
                        replayed,
                    });
                }
            }
        }
        None
    }

    /// A difference between two texts that are not compared as JSON.
    pub(super) fn words(place: DifferenceIn, recorded: &str, replayed: &str) -> Self {
        Self {
            place,
            pointer: String::new(),
            recorded: escape_terminal(recorded).into_owned(),
            replayed: escape_terminal(replayed).into_owned(),
        }
    }
}

fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Both values as text; of strings a part that begins shortly before the first difference.
fn excerpts(recorded: &Value, replayed: &Value) -> (String, String) {
    const BEFORE: usize = 20;
    const SHOWN: usize = 100;
    let (Value::String(old), Value::String(new)) = (recorded, replayed) else {
        let show = |value: &Value| {
            truncate(&escape_terminal(&value.to_string()), SHOWN, Boundary::Char).to_string()
        };
        return (show(recorded), show(replayed));
    };
    let same = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b);
    let from = old.floor_char_boundary(same.count().saturating_sub(BEFORE));
    let show = |text: &str| {
        let begin = if from == 0 { "" } else { "…" };
        let rest = truncate(text.get(from..).unwrap_or_default(), SHOWN, Boundary::Char);
        // JSON escapes quotes and control characters, but not invisible ones.
        let quoted = Value::from(format!("{begin}{rest}")).to_string();
        escape_terminal(&quoted).into_owned()
    };
    (show(old), show(new))
}

#[cfg(test)]
mod tests {
    use super::{Difference, DifferenceIn};
    use serde_json::{Value, json};

    fn first(recorded: &Value, replayed: &Value) -> Option<(String, String, String)> {
        let found = Difference::between(DifferenceIn::Output, recorded, replayed)?;
        Some((found.pointer, found.recorded, found.replayed))
    }

    #[test]
    fn the_first_difference_is_found_with_its_place() {
        let old = json!({ "a": [1, { "b/c": "a long text that goes on, with an end" }], "z": 1 });
        assert_eq!(first(&old, &old), None);
        let mut new = old.clone();
        new["a"][1]["b/c"] = json!("a long text that goes on, with no end");
        new["z"] = json!(2);
        let found = first(&old, &new).map(|(pointer, ..)| pointer);
        assert_eq!(found.as_deref(), Some("/a/1/b~1c"));
        let found = first(&json!([1]), &json!([1, 2]));
        assert_eq!(found, Some((String::new(), "[1]".into(), "[1,2]".into())));
        let found = first(&json!({}), &json!({ "a": 1 }));
        assert_eq!(found, Some(("/a".into(), "null".into(), "1".into())));
    }

    #[test]
    fn shown_values_are_short_and_printable() {
        let old = json!(format!("{}\u{1b}[31mA", "ä".repeat(5_000)));
        let new = json!(format!("{}\u{1b}[31mB", "ä".repeat(5_000)));
        let (_, old, new) = first(&old, &new).unwrap_or_default();
        assert!(old.len() < 200 && new.len() < 200, "{old} {new}");
        assert!(!old.contains('\u{1b}') && old != new);
    }
}
