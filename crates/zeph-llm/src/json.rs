//! JSON out of a model's text: what surrounds it and what is bent in it is told, what is broken is an error.
//!
//! [`read_json`] finds the value. The rules:
//!
//! - A thought in front (`<think>…</think>`), fences, prose and a byte order mark are passed over.
//! - A comma before a closing bracket and a raw control character inside a string are mended.
//! - Among several values the first in a code fence wins, else the first object, else the first array;
//!   the others are counted. A piece that began like JSON and is broken makes the whole an error, for
//!   nobody knows whether it was to be the answer.
//! - With [`read_json_where`] the caller says which values it can use. The first of those is taken,
//!   whatever else is there.
//! - Without any bracket the whole text may be one scalar.
//! - Never mended: a value that is cut off, a key that is there twice, `NaN` and infinities, missing
//!   commas or quotes. Whoever guesses there changes what was meant.
//!
//! The work is linear in the text; the depth is bounded before anything is called recursively.

mod mend;
mod parse;
mod scan;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use scan::Scan;

/// What a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// The most bytes of text. Default: 1 MiB.
    pub bytes: usize,
    /// The most brackets within one another. Default and most: 64.
    pub depth: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            depth: MAX_DEPTH,
        }
    }
}

/// Parsing calls itself once per level, so the level is bounded whatever the caller wishes.
const MAX_DEPTH: usize = 64;

/// A value that was found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadJson {
    /// The value.
    pub value: Value,
    /// What was passed over or mended, in the order of the rules; empty if the text was the value.
    pub tolerated: Vec<Tolerated>,
}

/// Something that was passed over or mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Tolerated {
    /// A byte order mark in front.
    ByteOrderMark,
    /// A thought in front, between `<think>` and `</think>`.
    Thought {
        /// How long it was.
        bytes: usize,
    },
    /// The value stood in a code fence.
    Fence,
    /// Text around the value, blanks and fences not counted.
    Prose {
        /// Bytes before it.
        before: usize,
        /// Bytes after it.
        after: usize,
    },
    /// A piece in front that began like JSON and was none.
    Broken {
        /// Where it begins, in bytes.
        at: usize,
    },
    /// Further values, which were not taken.
    Others {
        /// How many.
        count: usize,
    },
    /// A comma before a closing bracket.
    TrailingComma {
        /// Where, in bytes.
        at: usize,
    },
    /// A line feed or another control character inside a string, without its escape.
    RawControl {
        /// Where, in bytes.
        at: usize,
    },
    /// A property that stood for absence with `null`, and was taken out.
    Null {
        /// The JSON pointer of the property.
        pointer: String,
    },
}

/// Why a text yields no value. Places are byte offsets in the text as given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Nothing but blanks.
    #[error("the text is empty")]
    Empty,
    /// No bracket, and the whole is no scalar.
    #[error("there is no JSON in the text")]
    NoJson,
    /// It ends in the middle of a value: most likely the answer reached its limit of tokens.
    #[error("the JSON that begins at byte {at} is cut off at the end of the text")]
    CutOff {
        /// Where the value begins.
        at: usize,
    },
    /// An object has a key twice.
    #[error("the key {key:?} is there twice in the object at \"{pointer}\"")]
    DuplicateKey {
        /// The JSON pointer of the object.
        pointer: String,
        /// The key.
        key: String,
    },
    /// `NaN` or an infinity, which JSON does not have.
    #[error("{text} at byte {at} is no JSON number")]
    NotANumber {
        /// What stands there.
        text: &'static str,
        /// Where.
        at: usize,
    },
    /// Too many brackets within one another.
    #[error("brackets are nested deeper than {limit} at byte {at}")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where it is exceeded.
        at: usize,
    },
    /// Too long a text.
    #[error("the text has {found} bytes, {limit} are allowed")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// Its length.
        found: usize,
    },
    /// Anything else.
    #[error("at byte {at}: {why}")]
    Syntax {
        /// Where.
        at: usize,
        /// What is wrong there.
        why: String,
    },
}

impl JsonError {
    /// Whether the value ends with the text, so that more room for the answer may help.
    #[must_use]
    pub const fn is_cut_off(&self) -> bool {
        matches!(self, Self::CutOff { .. })
    }
}

/// Reads the value that a text holds, with the default [`JsonLimits`].
///
/// # Errors
/// If there is none, or the one that is there is broken; see [`JsonError`].
///
/// # Examples
/// ```
/// use serde_json::json;
/// use zeph_llm::{Tolerated, read_json};
///
/// let read = read_json("Sure!\n```json\n{\"tasks\": [1, 2,]}\n```")?;
/// assert_eq!(read.value, json!({ "tasks": [1, 2] }));
/// assert!(read.tolerated.contains(&Tolerated::Fence));
///
/// let cut = read_json(r#"{"tasks": [1, 2"#).unwrap_err();
/// assert!(cut.is_cut_off());
/// # Ok::<(), zeph_llm::JsonError>(())
/// ```
pub fn read_json(text: &str) -> Result<ReadJson, JsonError> {
    read(text, JsonLimits::default(), None)
}

/// Reads the first value in a text that the caller can use, whatever else is there, broken pieces
/// included; if it can use none, the one that [`read_json`] reads.
///
/// # Errors
/// As [`read_json`].
pub fn read_json_where(
    text: &str,
    limits: JsonLimits,
    usable: impl Fn(&Value) -> bool,
) -> Result<ReadJson, JsonError> {
    read(text, limits, Some(&usable))
}

fn read(
    text: &str,
    limits: JsonLimits,
    usable: Option<&dyn Fn(&Value) -> bool>,
) -> Result<ReadJson, JsonError> {
    if text.len() > limits.bytes {
        return Err(JsonError::TooLarge {
            limit: limits.bytes,
            found: text.len(),
        });
    }
    let depth = limits.depth.min(MAX_DEPTH);
    let mut tolerated = Vec::new();
    let start = skip_front(text, &mut tolerated)?;
    let scan = Scan::of(text, start, depth)?;
    let wanted = usable.and_then(|usable| scan.first_where(usable));
    match (wanted, scan.broken()) {
        (Some(index), _) => Ok(scan.take(text, start, index, tolerated)),
        // A piece that is broken was to be the answer, or nobody knows.
        (None, Some(error)) => Err(error),
        (None, None) => match scan.first() {
            Some(index) => Ok(scan.take(text, start, index, tolerated)),
            None => {
                let value = scalar(text, start, depth, &mut tolerated)?;
                Ok(ReadJson { value, tolerated })
            }
        },
    }
}

/// Passes over what may stand in front of everything: a byte order mark, blanks, a thought.
fn skip_front(text: &str, tolerated: &mut Vec<Tolerated>) -> Result<usize, JsonError> {
    let mut rest = text;
    if let Some(after) = rest.strip_prefix('\u{FEFF}') {
        tolerated.push(Tolerated::ByteOrderMark);
        rest = after;
    }
    rest = rest.trim_start();
    if let Some(thought) = rest.strip_prefix("<think>") {
        let Some(end) = thought.find("</think>") else {
            return Err(JsonError::CutOff {
                at: text.len() - rest.len(),
            });
        };
        let bytes = "<think>".len() + end + "</think>".len();
        tolerated.push(Tolerated::Thought { bytes });
        rest = rest[bytes..].trim_start();
    }
    if rest.is_empty() {
        return Err(JsonError::Empty);
    }
    Ok(text.len() - rest.len())
}

/// The whole text as one scalar, in a fence or without.
fn scalar(
    text: &str,
    start: usize,
    depth: usize,
    tolerated: &mut Vec<Tolerated>,
) -> Result<Value, JsonError> {
    let mut body = text[start..].trim_end();
    let mut at = start;
    if let Some(fenced) = body.strip_prefix("```").and_then(|b| b.strip_suffix("```")) {
        let inner = fenced.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        at += 3 + (fenced.len() - inner.len());
        at += inner.len() - inner.trim_start().len();
        body = inner.trim();
        tolerated.push(Tolerated::Fence);
    }
    match parse::whole(body, depth) {
        Ok(value) => Ok(value),
        Err(JsonError::CutOff { .. }) if body.starts_with('"') => Err(JsonError::CutOff { at }),
        Err(JsonError::NotANumber { text, at: inside }) => Err(JsonError::NotANumber {
            text,
            at: at + inside,
        }),
        Err(_) => Err(JsonError::NoJson),
    }
}

impl fmt::Display for Tolerated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteOrderMark => f.write_str("a byte order mark in front"),
            Self::Thought { bytes } => write!(f, "a thought of {bytes} bytes in front"),
            Self::Fence => f.write_str("a code fence"),
            Self::Prose { before, after } => {
                write!(f, "text around it: {before} bytes before, {after} after")
            }
            Self::Broken { at } => write!(f, "a broken piece at byte {at}"),
            Self::Others { count } => write!(f, "{count} further values, not taken"),
            Self::TrailingComma { at } => write!(f, "a trailing comma at byte {at}"),
            Self::RawControl { at } => write!(f, "a raw control character at byte {at}"),
            Self::Null { pointer } => write!(f, "a null at \"{pointer}\" that stood for absence"),
        }
    }
}

#[cfg(test)]
mod tests;
