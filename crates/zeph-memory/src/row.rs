//! Journal rows and their contents, before and after they are stored.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use zeph_graph::{ContentId, RunId, Seq, Timestamp};

use crate::hash::{ChainHash, Framed};

/// The kind of a content: one short word.
///
/// The words below are in use; a store accepts any word.
///
/// # Examples
/// ```
/// use zeph_memory::ContentKind;
/// assert_eq!(ContentKind::LOG.as_str(), "log");
/// assert_eq!(ContentKind::new("log"), ContentKind::LOG);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentKind(Cow<'static, str>);

impl ContentKind {
    /// A result.
    pub const OUTPUT: Self = Self(Cow::Borrowed("output"));
    /// The error of a failed attempt.
    pub const ERROR: Self = Self(Cow::Borrowed("error"));
    /// The log of an attempt.
    pub const LOG: Self = Self(Cow::Borrowed("log"));
    /// The answer of a person.
    pub const ANSWER: Self = Self(Cow::Borrowed("answer"));
    /// Any other record of an attempt.
    pub const NOTE: Self = Self(Cow::Borrowed("note"));

    /// The kind with that word.
    #[must_use]
    pub fn new(word: impl Into<Cow<'static, str>>) -> Self {
        Self(word.into())
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ContentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for ContentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One part of a content: a content id may have several named parts.
///
/// Parts are append-only. Asked for an id, a store returns its parts in the order of writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The content that it belongs to.
    pub id: ContentId,
    /// The kind of the content.
    pub kind: ContentKind,
    /// The name of the part; empty for the main part.
    pub name: String,
    /// The bytes, of any length and any values.
    pub bytes: Bytes,
}

impl Content {
    /// The main part of a content, which has no name.
    #[must_use]
    pub fn new(id: ContentId, kind: ContentKind, bytes: impl Into<Bytes>) -> Self {
        Self {
            id,
            kind,
            name: String::new(),
            bytes: bytes.into(),
        }
    }

    /// A named part of a content.
    #[must_use]
    pub fn named(
        id: ContentId,
        kind: ContentKind,
        name: impl Into<String>,
        bytes: impl Into<Bytes>,
    ) -> Self {
        Self {
            id,
            kind,
            name: name.into(),
            bytes: bytes.into(),
        }
    }

    /// The hash over its place and its data: the run, the row that added it, its position among the parts of
    /// that row, and the id, the kind, the name and the bytes. So no part passes for another one.
    #[must_use]
    pub fn hash(&self, run: &RunId, seq: Seq, part: u64) -> ChainHash {
        Framed::new("zeph-memory v2 content")
            .bytes(run.as_str().as_bytes())
            .number(seq.get())
            .number(part)
            .number(u64::from(self.id.get()))
            .bytes(self.kind.as_str().as_bytes())
            .bytes(self.name.as_bytes())
            .bytes(&self.bytes)
            .end()
    }
}

/// One journal row before it is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The time of the decision. Never used for order.
    pub at: Timestamp,
    /// JSON text. The store does not interpret it.
    pub payload: String,
    /// The contents that the payload refers to for the first time.
    pub contents: Vec<Content>,
}

impl Row {
    /// A row without contents.
    #[must_use]
    pub fn new(at: Timestamp, payload: impl Into<String>) -> Self {
        Self {
            at,
            payload: payload.into(),
            contents: Vec::new(),
        }
    }

    /// The same row with one more part.
    #[must_use]
    pub fn with(mut self, content: Content) -> Self {
        self.contents.push(content);
        self
    }
}

/// One journal row as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// Its position in the journal.
    pub seq: Seq,
    /// The time of the decision.
    pub at: Timestamp,
    /// JSON text. The store does not interpret it.
    pub payload: String,
}
