//! Strict parsing of one value: a key twice is an error, the depth is bounded, places are bytes.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::JsonError;

/// Parses a text that is one value and nothing else. Places are relative to the text.
pub(super) fn whole(text: &str, depth: usize) -> Result<Value, JsonError> {
    let (value, end) = prefix(text, depth).map_err(|failure| failure.error)?;
    if text[end..].trim_start().is_empty() {
        return Ok(value);
    }
    Err(JsonError::Syntax {
        at: end,
        why: "there is more after the value".to_owned(),
    })
}

/// Why no value begins at the start of a text.
pub(super) struct Failure {
    pub(super) error: JsonError,
    /// How many bytes were read until it showed.
    pub(super) at: usize,
    /// Whether more than the first bracket was read before: then it was meant as JSON.
    pub(super) meant: bool,
    /// Whether mending a comma or a control character may help.
    pub(super) mendable: bool,
}

/// Parses the value that a text begins with, and says where it ends.
pub(super) fn prefix(text: &str, depth: usize) -> Result<(Value, usize), Failure> {
    let state = State::default();
    let mut de = serde_json::Deserializer::from_str(text);
    let seed = Seed {
        state: &state,
        left: depth,
    };
    match seed.deserialize(&mut de) {
        Ok(value) => {
            // The stream deserializer is the part of the parser that tells where it stands.
            let end = de.into_iter::<serde::de::IgnoredAny>().byte_offset();
            Ok((value, end))
        }
        Err(error) => Err(failure(text, &error, &state, depth)),
    }
}

fn failure(text: &str, error: &serde_json::Error, state: &State, depth: usize) -> Failure {
    let at = offset(text, error);
    let meant = state.meant.get();
    let refused = state.refused.borrow_mut().take();
    let message = error.to_string();
    let mendable = refused.is_none()
        && !error.is_eof()
        && (message.starts_with("trailing comma") || message.starts_with("control character"));
    let error = match refused {
        Some(Refused::Key { pointer, key }) => JsonError::DuplicateKey { pointer, key },
        Some(Refused::Depth) => JsonError::TooDeep { limit: depth, at },
        None if error.is_eof() => JsonError::CutOff { at: 0 },
        None => not_a_number(text, at).unwrap_or_else(|| JsonError::Syntax {
            at,
            why: message
                .split(" at line ")
                .next()
                .unwrap_or(&message)
                .to_owned(),
        }),
    };
    Failure {
        error,
        at,
        meant,
        mendable,
    }
}

/// The word that JSON does not have, if one stands where reading stopped.
fn not_a_number(text: &str, at: usize) -> Option<JsonError> {
    const WORDS: [&str; 4] = ["-Infinity", "Infinity", "-NaN", "NaN"];
    let from = text.floor_char_boundary(at.saturating_sub(2));
    WORDS.iter().find_map(|word| {
        let end = text.ceil_char_boundary(at + word.len());
        let found = text[from..end.min(text.len())].find(word)?;
        Some(JsonError::NotANumber {
            text: word,
            at: from + found,
        })
    })
}

/// The byte at which reading stopped.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = error.line().saturating_sub(1);
    let line_start = if lines == 0 {
        0
    } else {
        let mut breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        breaks.nth(lines - 1).map_or(0, |(at, _)| at + 1)
    };
    let at = line_start + error.column().saturating_sub(1);
    text.floor_char_boundary(at.min(text.len()))
}

/// What the visitors tell beside serde's errors.
#[derive(Default)]
struct State {
    path: RefCell<Vec<String>>,
    refused: RefCell<Option<Refused>>,
    /// Whether a key or an element was read.
    meant: Cell<bool>,
}

enum Refused {
    Key { pointer: String, key: String },
    Depth,
}

impl State {
    fn pointer(&self) -> String {
        let path = self.path.borrow();
        path.iter().fold(String::new(), |mut pointer, key| {
            pointer.push('/');
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            pointer
        })
    }

    fn inside<T, E>(&self, key: String, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.path.borrow_mut().push(key);
        let value = read()?;
        self.path.borrow_mut().pop();
        self.meant.set(true);
        Ok(value)
    }
}

struct Seed<'a> {
    state: &'a State,
    left: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Value, D::Error> {
        de.deserialize_any(self)
    }
}

impl<'a> Seed<'a> {
    fn deeper<E: serde::de::Error>(&self) -> Result<Seed<'a>, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Seed {
                state: self.state,
                left,
            }),
            None => {
                *self.state.refused.borrow_mut() = Some(Refused::Depth);
                Err(E::custom("nested too deep"))
            }
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
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

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let seed = self.deeper()?;
            let index = values.len().to_string();
            match self.state.inside(index, || seq.next_element_seed(seed))? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            self.state.meant.set(true);
            if object.contains_key(&key) {
                let pointer = self.state.pointer();
                *self.state.refused.borrow_mut() = Some(Refused::Key { pointer, key });
                return Err(A::Error::custom("a key that is there twice"));
            }
            let seed = self.deeper()?;
            let value = self
                .state
                .inside(key.clone(), || map.next_value_seed(seed))?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
