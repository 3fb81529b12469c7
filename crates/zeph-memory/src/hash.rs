//! Hashes: BLAKE3 over framed fields, so that no two different inputs feed the same bytes.

use std::fmt;
use std::str::FromStr;

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
    /// The given text, at most its first 80 characters.
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

/// Feeds one kind of hash. Numbers have a fixed width, texts are preceded by their length, and each kind
/// has its own context, so two different inputs never feed the same bytes.
pub(crate) struct Framed(blake3::Hasher);

impl Framed {
    pub(crate) fn new(context: &'static str) -> Self {
        Self(blake3::Hasher::new_derive_key(context))
    }

    pub(crate) fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn hash(mut self, hash: ChainHash) -> Self {
        self.0.update(&hash.0);
        self
    }

    pub(crate) fn end(self) -> ChainHash {
        ChainHash(*self.0.finalize().as_bytes())
    }
}
