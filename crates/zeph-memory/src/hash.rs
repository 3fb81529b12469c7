//! The hashes of the chain: what they cover, framed so that no two inputs look alike.

use std::fmt;
use std::str::FromStr;

use zeph_graph::{RunId, Seq, Timestamp};

use crate::row::Content;
use crate::run::{NewRun, RunStatus};

/// A BLAKE3 hash: of a run's beginning, of a row, of a content, of a status.
///
/// Its text form is 64 hexadecimal digits.
///
/// # Examples
/// ```
/// use zeph_memory::ChainHash;
/// let hash = ChainHash::from_bytes([0xab; 32]);
/// assert_eq!(hash.to_string().parse(), Ok(hash));
/// assert!("abc".parse::<ChainHash>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// The hash with those bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash with those bytes; `None` unless there are 32.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

/// A text that is not a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a hash: 64 hexadecimal digits are needed")]
pub struct BadChainHash {
    /// What was given, at most its first 80 characters.
    pub text: String,
}

impl FromStr for ChainHash {
    type Err = BadChainHash;

    fn from_str(text: &str) -> Result<Self, BadChainHash> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| BadChainHash {
                text: text.chars().take(80).collect(),
            })
    }
}

/// Feeds one kind of hash. Numbers have a fixed width and texts their length before them, and each
/// kind has its own context, so two different inputs never feed the same bytes.
struct Framed(blake3::Hasher);

impl Framed {
    fn new(context: &'static str) -> Self {
        Self(blake3::Hasher::new_derive_key(context))
    }

    fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    fn hash(mut self, hash: ChainHash) -> Self {
        self.0.update(&hash.0);
        self
    }

    fn end(self) -> ChainHash {
        ChainHash(*self.0.finalize().as_bytes())
    }
}

/// The beginning of a chain: over everything a run is created with.
pub(crate) fn genesis(new: &NewRun) -> ChainHash {
    Framed::new("zeph-memory v1 genesis")
        .bytes(new.run.as_str().as_bytes())
        .bytes(new.title.as_bytes())
        .number(new.created_at.as_micros())
        .bytes(&new.header)
        .end()
}

/// One part of a content.
pub(crate) fn part(content: &Content) -> ChainHash {
    Framed::new("zeph-memory v1 content")
        .number(u64::from(content.id.get()))
        .bytes(content.kind.as_str().as_bytes())
        .bytes(content.name.as_bytes())
        .bytes(&content.bytes)
        .end()
}

/// All parts that one row brings, in order.
pub(crate) fn contents(parts: &[ChainHash]) -> ChainHash {
    let start = Framed::new("zeph-memory v1 contents").number(parts.len() as u64);
    parts
        .iter()
        .fold(start, |framed, &part| framed.hash(part))
        .end()
}

/// One row, linked to the one before it.
pub(crate) fn row(
    run: &RunId,
    seq: Seq,
    at: Timestamp,
    payload: &str,
    contents: ChainHash,
    previous: ChainHash,
) -> ChainHash {
    Framed::new("zeph-memory v1 row")
        .bytes(run.as_str().as_bytes())
        .number(seq.get())
        .number(at.as_micros())
        .bytes(payload.as_bytes())
        .hash(contents)
        .hash(previous)
        .end()
}

/// How a run stands at a place of its chain.
pub(crate) fn status(
    run: &RunId,
    last: Seq,
    head: ChainHash,
    updated_at: Timestamp,
    status: &RunStatus,
) -> ChainHash {
    Framed::new("zeph-memory v1 status")
        .bytes(run.as_str().as_bytes())
        .number(last.get())
        .hash(head)
        .number(updated_at.as_micros())
        .bytes(status.state.as_bytes())
        .number(u64::from(status.open))
        .bytes(status.summary.as_bytes())
        .end()
}
