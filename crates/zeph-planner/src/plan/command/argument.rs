//! The kinds of arguments: which values of a plan a command accepts.

use std::fmt;
use std::path::{Component, Path};

use regex::Regex;
use serde::{Serialize, Serializer};

/// The most bytes of a value of any kind.
const MAX_VALUE_BYTES: usize = 4 << 10;

/// The values that an argument accepts. No value may have control, invisible or reordering characters.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ArgumentKind {
    /// A text of one line, not empty, with a limit in bytes, at most 4 KiB.
    Text {
        /// The limit.
        max_bytes: usize,
    },
    /// A text that matches a pattern as a whole.
    Pattern(#[serde(serialize_with = "as_text")] Regex),
    /// One of these texts.
    Choice(Vec<String>),
    /// An integer in a range, bounds included.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A relative path below a folder, without `..`. The element becomes folder and path; an empty
    /// folder is the working folder of the command.
    ///
    /// Only the text is checked. The program must handle links that lead out of the folder.
    Path {
        /// The folder.
        below: String,
    },
}

impl ArgumentKind {
    /// A text of one line with at most that many bytes.
    #[must_use]
    pub const fn text(max_bytes: usize) -> Self {
        Self::Text { max_bytes }
    }

    /// A text that matches a regular expression as a whole.
    ///
    /// # Errors
    /// If it is not a regular expression.
    pub fn pattern(pattern: &str) -> Result<Self, BadTemplate> {
        match Regex::new(&format!("^(?:{pattern})$")) {
            Ok(regex) => Ok(Self::Pattern(regex)),
            Err(error) => Err(BadTemplate::new(pattern, &error.to_string())),
        }
    }

    /// One of these texts.
    #[must_use]
    pub fn choice<T: Into<String>>(choices: impl IntoIterator<Item = T>) -> Self {
        Self::Choice(choices.into_iter().map(Into::into).collect())
    }

    /// An integer in a range, bounds included.
    #[must_use]
    pub const fn integer(min: i64, max: i64) -> Self {
        Self::Integer { min, max }
    }

    /// A relative path below that folder.
    #[must_use]
    pub fn path(below: impl Into<String>) -> Self {
        Self::Path {
            below: below.into(),
        }
    }

    pub(super) const fn is_number(&self) -> bool {
        matches!(self, Self::Integer { .. })
    }

    /// The value as it is used in the command line, or why it is rejected.
    pub(super) fn accept(&self, value: &str) -> Result<String, String> {
        if value.len() > MAX_VALUE_BYTES {
            return Err(format!("has more than {MAX_VALUE_BYTES} bytes"));
        }
        if *zeph_common::escape_terminal(value) != *value {
            return Err("has control, invisible or reordering characters".to_owned());
        }
        let misfit = || Err(format!("is not a {self}"));
        match self {
            Self::Text { max_bytes } if value.is_empty() || value.len() > *max_bytes => misfit(),
            Self::Pattern(regex) if !regex.is_match(value) => misfit(),
            Self::Choice(choices) if !choices.iter().any(|choice| choice == value) => misfit(),
            Self::Text { .. } | Self::Pattern(_) | Self::Choice(_) => Ok(value.to_owned()),
            Self::Integer { min, max } => match value.parse::<i64>() {
                Ok(number) if (*min..=*max).contains(&number) => Ok(number.to_string()),
                Ok(_) | Err(_) => misfit(),
            },
            Self::Path { .. } if !is_below(value) => misfit(),
            // Without a folder the path stays relative; it never becomes absolute.
            Self::Path { below } if below.is_empty() => Ok(value.to_owned()),
            Self::Path { below } => Ok(format!("{}/{value}", below.trim_end_matches('/'))),
        }
    }
}

/// Whether a path is relative and has only names.
fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components().peekable();
    parts.peek().is_some()
        && !path.contains('\\')
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// The description of the values for a model.
impl fmt::Display for ArgumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { max_bytes } => write!(f, "text of 1 to {max_bytes} bytes"),
            Self::Pattern(regex) => {
                let shown = regex.as_str();
                let inside = shown
                    .strip_prefix("^(?:")
                    .and_then(|s| s.strip_suffix(")$"));
                write!(f, "text of the form {}", inside.unwrap_or(shown))
            }
            Self::Choice(choices) => write!(f, "text, one of {}", choices.join(", ")),
            Self::Integer { min, max } => write!(f, "whole number from {min} to {max}"),
            Self::Path { below } => write!(f, "relative path below {below}, without \"..\""),
        }
    }
}

impl PartialEq for ArgumentKind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pattern(one), Self::Pattern(two)) => one.as_str() == two.as_str(),
            (Self::Text { max_bytes: one }, Self::Text { max_bytes: two }) => one == two,
            (Self::Choice(one), Self::Choice(two)) => one == two,
            (
                Self::Integer { min, max },
                Self::Integer {
                    min: low,
                    max: high,
                },
            ) => (min, max) == (low, high),
            (Self::Path { below: one }, Self::Path { below: two }) => one == two,
            (
                Self::Text { .. }
                | Self::Pattern(_)
                | Self::Choice(_)
                | Self::Integer { .. }
                | Self::Path { .. },
                _,
            ) => false,
        }
    }
}

fn as_text<S: Serializer>(regex: &Regex, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(regex.as_str())
}

/// An invalid template of a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the command template {template} cannot be used: {why}")]
pub struct BadTemplate {
    /// The template, or the pattern; printable.
    pub template: String,
    /// The problem; printable.
    pub why: String,
}

impl BadTemplate {
    pub(super) fn new(template: &str, why: &str) -> Self {
        Self {
            template: zeph_diagnostics::quote(template),
            why: zeph_common::escape_terminal(why).into_owned(),
        }
    }
}

/// The form of names: `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
pub(super) fn check_name(template: &str, name: &str) -> Result<(), BadTemplate> {
    if super::super::name::is_name(name) {
        return Ok(());
    }
    let why = "a name has 1 to 64 letters, digits, '_' and '-', and starts with a letter or '_'";
    Err(BadTemplate::new(template, why))
}
