//! Who answered a question, in three bytes of a record.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ContentId;

/// Who answered a question: a person or program that a content describes, an unknown one, or the default
/// answer because none arrived in time.
///
/// Has three bytes, so that a record stays small. Contents above number 16,777,214 do not fit and count as
/// unknown.
///
/// # Examples
/// ```
/// use zeph_graph::{AnsweredBy, ContentId};
/// let content = ContentId::new(4);
/// assert_eq!(AnsweredBy::from(content).content(), content);
/// assert!(AnsweredBy::DEFAULT.is_default());
/// assert_eq!(AnsweredBy::from(None), AnsweredBy::UNKNOWN);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Form", from = "Form")]
pub struct AnsweredBy([u8; 3]);

const DEFAULT: u32 = 0x00ff_ffff;

impl AnsweredBy {
    /// The answerer is not known.
    pub const UNKNOWN: Self = Self([0; 3]);
    /// The default answer was used.
    pub const DEFAULT: Self = Self([0xff; 3]);

    /// Whether the default answer was used.
    #[must_use]
    pub fn is_default(self) -> bool {
        self == Self::DEFAULT
    }

    /// The content that describes the answerer.
    #[must_use]
    pub fn content(self) -> Option<ContentId> {
        let [a, b, c] = self.0;
        let number = u32::from_le_bytes([a, b, c, 0]);
        ContentId::new(number).filter(|_| number != DEFAULT)
    }

    pub(crate) fn is_unknown(&self) -> bool {
        *self == Self::UNKNOWN
    }
}

impl From<Option<ContentId>> for AnsweredBy {
    fn from(content: Option<ContentId>) -> Self {
        let number = content.map_or(0, ContentId::get);
        let [a, b, c, _] = number.to_le_bytes();
        if number < DEFAULT {
            Self([a, b, c])
        } else {
            Self::UNKNOWN
        }
    }
}

impl Default for AnsweredBy {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl fmt::Debug for AnsweredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Form::from(*self), f)
    }
}

/// The form in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Unknown,
    Default,
    Content(ContentId),
}

impl From<AnsweredBy> for Form {
    fn from(by: AnsweredBy) -> Self {
        match by.content() {
            Some(content) => Self::Content(content),
            None if by.is_default() => Self::Default,
            None => Self::Unknown,
        }
    }
}

impl From<Form> for AnsweredBy {
    fn from(form: Form) -> Self {
        match form {
            Form::Unknown => Self::UNKNOWN,
            Form::Default => Self::DEFAULT,
            Form::Content(content) => Some(content).into(),
        }
    }
}
