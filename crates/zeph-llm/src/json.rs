//! Reads the JSON in a model's answer: skips text around it, repairs only unambiguous defects.
//!
//! [`read_json`] finds the value by these rules:
//!
//! - A byte order mark, a reasoning block (`<think>…</think>`), code fences and prose are skipped.
//! - What other notations allow is rewritten: comments, other quotes, keys without quotes, other words for
//!   `true`, `false` and `null`, a comma too many or too few, raw control characters inside a string.
//! - A key that an object has twice with the same value counts once.
//! - Among several values, a usable one is preferred, then one in a code fence, then an object. The
//!   others are counted.
//! - Broken JSON makes the answer an error, unless there is a usable value: it may have been the answer.
//! - Without any bracket the whole text may be one scalar.
//! - A value that is cut off, a key with two values, `NaN` and infinities, and missing quotes are never
//!   repaired, because the meaning would be guessed. Only [`read_finished_json`] adds missing braces.
//!
//! The cost is linear in the length of the text. serde_json bounds the depth of nesting.

mod lenient;
mod marks;
mod parse;
mod scan;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use scan::Scan;

/// A value from a text.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadJson {
    /// The value.
    pub value: Value,
    /// The parts that were skipped or repaired, in the order of the rules; empty if the text is the value.
    pub tolerated: Vec<Tolerated>,
}

/// A part of a text that was skipped or repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Tolerated {
    /// A byte order mark.
    ByteOrderMark,
    /// A reasoning block between `<think>` and `</think>`.
    Thought {
        /// Its length.
        bytes: usize,
    },
    /// The value is in a code fence.
    Fence,
    /// Text around the value, without white space and fences.
    Prose {
        /// Bytes before it.
        before: usize,
        /// Bytes after it.
        after: usize,
    },
    /// Broken JSON beside the value.
    Broken {
        /// The byte at which it starts.
        at: usize,
    },
    /// Further values.
    Others {
        /// The number of further values.
        count: usize,
    },
    /// A comma before a closing bracket.
    TrailingComma {
        /// Its byte.
        at: usize,
    },
    /// A line feed or another control character inside a string, without its escape.
    RawControl {
        /// Its byte.
        at: usize,
    },
    /// A way of writing that JSON does not have; each is reported once.
    Notation {
        /// The byte at which it is used first.
        at: usize,
        /// The way.
        what: Notation,
    },
    /// A key that an object has twice, with the same value.
    RepeatedKey {
        /// The key.
        key: String,
    },
    /// Braces that are missing at the end of a finished text.
    Unclosed {
        /// How many.
        count: usize,
    },
    /// A property with the value `null` that was removed: strict schemas have no optional properties.
    Null {
        /// The JSON pointer of the property.
        pointer: String,
    },
}

/// A way of writing that JSON does not have, with one possible meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notation {
    /// A comment.
    Comment,
    /// Other quotes around a text.
    Quotes,
    /// A key without quotes.
    BareKey,
    /// Another word for `true`, `false` or `null`.
    Word,
    /// No comma before a key, or between two objects of a list.
    MissingComma,
    /// An escape of a quote that needs none.
    Escape,
    /// White space that is not white space in JSON.
    Space,
    /// An equals sign or a wide colon or comma.
    Punctuation,
}

/// The error of a text without a value. Places are byte offsets in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Only white space.
    #[error("the text is empty")]
    Empty,
    /// No bracket, and the text is no scalar.
    #[error("the text contains no JSON")]
    NoJson,
    /// The text ends inside a value: most likely the answer reached its token limit.
    #[error("the JSON that starts at byte {at} is cut off at the end of the text")]
    CutOff {
        /// The start of the value.
        at: usize,
    },
    /// The text is finished, and brackets are missing at its end.
    #[error("the JSON that starts at byte {at} is not closed at the end of the text")]
    Unclosed {
        /// The start of the value.
        at: usize,
    },
    /// An object has a key twice, with two values.
    #[error("the object at \"{pointer}\" has the key {key:?} twice")]
    DuplicateKey {
        /// The JSON pointer of the object.
        pointer: String,
        /// The key.
        key: String,
    },
    /// `NaN` or an infinity, which JSON does not have.
    #[error("{text} at byte {at} is no JSON number")]
    NotANumber {
        /// The word.
        text: &'static str,
        /// Where.
        at: usize,
    },
    /// Brackets that are nested too deeply.
    #[error("brackets are nested too deeply at byte {at}")]
    TooDeep {
        /// The place where the limit of serde_json (127 levels) is exceeded.
        at: usize,
    },
    /// The text is too long.
    #[error("the text has {found} bytes; the limit is {limit}")]
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
        /// The problem.
        why: String,
    },
}

impl JsonError {
    /// Whether the text ends inside the value, so that a higher token limit may help.
    #[must_use]
    pub const fn is_cut_off(&self) -> bool {
        matches!(self, Self::CutOff { .. })
    }
}

/// Reads the JSON value in a text of at most `max_bytes` bytes.
///
/// A value for which `usable` is true is preferred, whatever else is in the text; if there is none, any
/// other value is returned.
///
/// # Errors
/// If the text has no value or its JSON is broken; see [`JsonError`].
///
/// # Examples
/// ```
/// use serde_json::json;
/// use zeph_llm::{Tolerated, read_json};
///
/// let read = |text| read_json(text, 1 << 20, |value| value.get("tasks").is_some());
/// let answer = read("Sure!\n```json\n{\"tasks\": [1, 2,]}\n```")?;
/// assert_eq!(answer.value, json!({ "tasks": [1, 2] }));
/// assert!(answer.tolerated.contains(&Tolerated::Fence));
///
/// let cut = read(r#"{"tasks": [1, 2"#).unwrap_err();
/// assert!(cut.is_cut_off());
/// # Ok::<(), zeph_llm::JsonError>(())
/// ```
pub fn read_json(
    text: &str,
    max_bytes: usize,
    usable: impl Fn(&Value) -> bool,
) -> Result<ReadJson, JsonError> {
    read(text, max_bytes, usable, false)
}

/// Reads the JSON value in a text that is known to be finished, because its writer says so.
///
/// As [`read_json`], and one or two braces that are missing at the end are added, if no list is open:
/// nothing else can be missing then.
///
/// # Errors
/// If the text has no value or its JSON is broken; see [`JsonError`].
///
/// # Examples
/// ```
/// use serde_json::json;
/// use zeph_llm::read_finished_json;
///
/// let read = |text| read_finished_json(text, 1 << 20, |_| false);
/// assert_eq!(read(r#"{"tasks": [1, 2]"#)?.value, json!({ "tasks": [1, 2] }));
/// assert!(read(r#"{"tasks": [1, 2"#).is_err());
/// # Ok::<(), zeph_llm::JsonError>(())
/// ```
pub fn read_finished_json(
    text: &str,
    max_bytes: usize,
    usable: impl Fn(&Value) -> bool,
) -> Result<ReadJson, JsonError> {
    read(text, max_bytes, usable, true)
}

/// Reads all objects and lists in a text, in order, for example those of JSON lines.
///
/// # Errors
/// If the text has none, or one of them is broken; see [`JsonError`].
///
/// # Examples
/// ```
/// use serde_json::json;
/// use zeph_llm::read_json_values;
///
/// let (values, _) = read_json_values("{\"a\": 1}\n{\"a\": 2}", 1 << 20)?;
/// assert_eq!(values, [json!({ "a": 1 }), json!({ "a": 2 })]);
/// assert!(read_json_values("{\"a\": 1}\n{\"a\": ", 1 << 20).is_err());
/// # Ok::<(), zeph_llm::JsonError>(())
/// ```
pub fn read_json_values(
    text: &str,
    max_bytes: usize,
) -> Result<(Vec<Value>, Vec<Tolerated>), JsonError> {
    check_size(text, max_bytes)?;
    let mut tolerated = Vec::new();
    let start = skip_front(text, &mut tolerated)?;
    let scan = Scan::of(text, start, false)?;
    if let Some(error) = scan.broken() {
        return Err(error);
    }
    let (values, repairs) = scan.into_values();
    if values.is_empty() {
        return Err(JsonError::NoJson);
    }
    tolerated.extend(repairs);
    Ok((values, tolerated))
}

const fn check_size(text: &str, limit: usize) -> Result<(), JsonError> {
    let found = text.len();
    if found > limit {
        return Err(JsonError::TooLarge { limit, found });
    }
    Ok(())
}

fn read(
    text: &str,
    max_bytes: usize,
    usable: impl Fn(&Value) -> bool,
    is_finished: bool,
) -> Result<ReadJson, JsonError> {
    check_size(text, max_bytes)?;
    let mut tolerated = Vec::new();
    let start = skip_front(text, &mut tolerated)?;
    // A text that is one string may hold what looks like the beginning of an object.
    let whole = text[start..].trim_end();
    let string = whole.starts_with('"').then(|| serde_json::from_str(whole));
    let string: Option<Value> = string.and_then(Result::ok);
    let scan = Scan::of(text, start, is_finished)?;
    let index = match (scan.preferred(&usable), string, scan.broken()) {
        (Some(index), ..) => Some(index),
        (None, Some(value), _) => return Ok(ReadJson { value, tolerated }),
        (None, None, Some(error)) => return Err(error),
        (None, None, None) => scan.preferred(|_| true),
    };
    match index {
        Some(index) => Ok(scan.take(text, start, index, tolerated)),
        None => {
            let value = scalar(text, start, &mut tolerated)?;
            Ok(ReadJson { value, tolerated })
        }
    }
}

/// Skips a byte order mark, white space and a reasoning block.
fn skip_front(text: &str, tolerated: &mut Vec<Tolerated>) -> Result<usize, JsonError> {
    let mut rest = text;
    if let Some(after) = rest.strip_prefix('\u{FEFF}') {
        tolerated.push(Tolerated::ByteOrderMark);
        rest = after;
    }
    rest = rest.trim_start();
    if let Some(reasoning) = rest.strip_prefix("<think>") {
        let Some(end) = reasoning.find("</think>") else {
            let at = text.len() - rest.len();
            return Err(JsonError::CutOff { at });
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

/// Reads the whole text as one scalar, with or without a code fence.
fn scalar(text: &str, start: usize, tolerated: &mut Vec<Tolerated>) -> Result<Value, JsonError> {
    let mut body = text[start..].trim_end();
    let mut at = start;
    if let Some(fenced) = body.strip_prefix("```").and_then(|b| b.strip_suffix("```")) {
        let inner = fenced.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        let inner = inner.trim_start();
        at += 3 + (fenced.len() - inner.len());
        body = inner.trim_end();
        tolerated.push(Tolerated::Fence);
    }
    match parse::prefix(body, |place| at + place) {
        Ok(read) if body[read.len..].trim_start().is_empty() => Ok(read.value),
        Ok(_) => Err(JsonError::NoJson),
        Err(failure) => {
            let error = failure.error;
            let is_number = matches!(error, JsonError::NotANumber { .. });
            let is_cut_off = error.is_cut_off() && body.starts_with('"');
            let is_scalar = is_number || is_cut_off;
            Err(if is_scalar { error } else { JsonError::NoJson })
        }
    }
}

impl fmt::Display for Tolerated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteOrderMark => f.write_str("a byte order mark"),
            Self::Thought { bytes } => write!(f, "a reasoning block of {bytes} bytes"),
            Self::Fence => f.write_str("a code fence"),
            Self::Prose { before, after } => {
                write!(
                    f,
                    "text around the JSON: {before} bytes before it, {after} after it"
                )
            }
            Self::Broken { at } => write!(f, "broken JSON at byte {at}"),
            Self::Others { count } => write!(f, "{count} further values"),
            Self::TrailingComma { at } => write!(f, "a trailing comma at byte {at}"),
            Self::RawControl { at } => write!(f, "a raw control character at byte {at}"),
            Self::Notation { at, what } => write!(f, "{what} at byte {at}"),
            Self::RepeatedKey { key } => write!(f, "the key {key:?} twice, with the same value"),
            Self::Unclosed { count: 1 } => f.write_str("a missing brace at the end"),
            Self::Unclosed { count } => write!(f, "{count} missing braces at the end"),
            Self::Null { pointer } => write!(f, "a null for the absent property \"{pointer}\""),
        }
    }
}

impl fmt::Display for Notation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Comment => "a comment",
            Self::Quotes => "other quotes",
            Self::BareKey => "a key without quotes",
            Self::Word => "another word for true, false or null",
            Self::MissingComma => "a missing comma",
            Self::Escape => "a needless escape",
            Self::Space => "other white space",
            Self::Punctuation => "other punctuation",
        })
    }
}

#[cfg(test)]
mod tests;
