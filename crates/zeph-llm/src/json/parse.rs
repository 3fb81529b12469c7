//! Strict parsing of the JSON value at the start of a text, with serde_json; duplicate keys are errors.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{JsonError, Tolerated};

/// The value at the start of a text.
pub(super) struct Parsed {
    pub(super) value: Value,
    /// The length of its text.
    pub(super) len: usize,
    /// Keys that an object has twice with the same value.
    pub(super) tolerated: Vec<Tolerated>,
}

/// Why a text does not start with a JSON value.
pub(super) struct Failure {
    /// The reason.
    pub(super) error: JsonError,
    /// How many bytes of the text were read.
    pub(super) at: usize,
    /// Whether the text looks like JSON and not like prose in brackets.
    pub(super) looks_like_json: bool,
}

/// Parses the value at the start of a text. `place` maps an offset in the text to the place that an error
/// names.
pub(super) fn prefix(text: &str, place: impl Fn(usize) -> usize) -> Result<Parsed, Failure> {
    let keys = Keys::default();
    let mut de = serde_json::Deserializer::from_str(text);
    let parsed = Strict(&keys).deserialize(&mut de);
    let parsed = match parsed {
        Ok(value) => Ok(Parsed {
            value,
            // The stream is the part of serde_json that knows the position.
            len: de.into_iter::<IgnoredAny>().byte_offset(),
            tolerated: keys.repeated.into_inner(),
        }),
        Err(error) => Err(failure(text, place, &error, keys.duplicate.into_inner())),
    };
    #[cfg(test)]
    super::tests::count_steps(match &parsed {
        Ok(parsed) => parsed.len,
        Err(failure) => failure.at + 1,
    });
    parsed
}

fn failure(
    text: &str,
    place: impl Fn(usize) -> usize,
    error: &serde_json::Error,
    duplicate: Option<Duplicate>,
) -> Failure {
    let at = offset(text, error);
    let message = error.to_string();
    let is = |beginning| message.starts_with(beginning);
    let error = match duplicate {
        Some(Duplicate { pointer, key }) => JsonError::DuplicateKey { pointer, key },
        None if error.is_eof() => JsonError::CutOff { at: place(0) },
        None if is("recursion limit") => JsonError::TooDeep { at: place(at) },
        None => match not_a_number(text, at) {
            Some((text, at)) => JsonError::NotANumber {
                text,
                at: place(at),
            },
            None => JsonError::Syntax {
                at: place(at),
                why: message.split(" at line ").next().unwrap_or(&message).into(),
            },
        },
    };
    let prose =
        |c: char| c.is_alphabetic() || c.is_whitespace() || matches!(c, '[' | ']' | '{' | '}');
    Failure {
        error,
        at,
        looks_like_json: !text[..at].chars().all(prose),
    }
}

/// The `NaN` or infinity at the place of an error, which is not JSON, and its place.
fn not_a_number(text: &str, at: usize) -> Option<(&'static str, usize)> {
    const WORDS: [&str; 4] = ["-Infinity", "Infinity", "-NaN", "NaN"];
    let from = text.floor_char_boundary(at.saturating_sub(2));
    WORDS.iter().find_map(|word| {
        let end = text.ceil_char_boundary(at + word.len());
        Some((*word, from + text[from..end].find(word)?))
    })
}

/// The byte at which parsing stopped.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let breaks = error.line().saturating_sub(1);
    let mut lines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    let line_start = match breaks.checked_sub(1) {
        Some(skipped) => lines.nth(skipped).map_or(0, |(at, _)| at + 1),
        None => 0,
    };
    let at = line_start + error.column().saturating_sub(1);
    text.floor_char_boundary(at.min(text.len()))
}

/// A key that an object has twice.
struct Duplicate {
    /// The JSON Pointer of the object.
    pointer: String,
    key: String,
}

/// The keys that objects have twice.
#[derive(Default)]
struct Keys {
    /// The first with two values; it ends the reading.
    duplicate: RefCell<Option<Duplicate>>,
    /// Those with one value.
    repeated: RefCell<Vec<Tolerated>>,
}

/// Reads any value, and notes duplicate keys.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a Keys);

impl Strict<'_> {
    /// Adds a step to the path of a duplicate key while its error is passed up.
    fn inside<E>(self, step: &str, error: E) -> E {
        if let Some(duplicate) = self.0.duplicate.borrow_mut().as_mut() {
            let step = step.replace('~', "~0").replace('/', "~1");
            duplicate.pointer.insert_str(0, &format!("/{step}"));
        }
        error
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Value, D::Error> {
        de.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).map(Value::Number);
        number.ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let next = seq.next_element_seed(self);
            match next.map_err(|error| self.inside(&values.len().to_string(), error))? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self);
            let value = value.map_err(|error| self.inside(&key, error))?;
            match object.get(&key) {
                None => drop(object.insert(key, value)),
                Some(first) if *first == value => {
                    let repeated = Tolerated::RepeatedKey { key };
                    self.0.repeated.borrow_mut().push(repeated);
                }
                Some(_) => {
                    let pointer = String::new();
                    *self.0.duplicate.borrow_mut() = Some(Duplicate { pointer, key });
                    return Err(A::Error::custom("duplicate key"));
                }
            }
        }
        Ok(Value::Object(object))
    }
}
