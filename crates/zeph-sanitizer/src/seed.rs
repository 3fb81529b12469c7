//! The seed of a run, from which delimiters are derived.

use std::fmt;

const CONTEXT: &str = "zeph-sanitizer 2026 delimiter seed";

/// The key of the delimiters: 32 bytes that the authors of contents should not know.
///
/// Without the seed a delimiter cannot be predicted. With the seed the delimiter of a known text can be
/// computed, but not put into that text, because each is absent from its content. The same seed gives the
/// same delimiters, which a replay needs. A debug print shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed of 32 bytes, which should come from a random source once per run.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A seed that is derived from other material, such as the seed and id of a run. It is as unpredictable as
    /// the material.
    ///
    /// # Examples
    /// ```
    /// use zeph_sanitizer::Seed;
    /// assert_eq!(Seed::derive(b"run 1"), Seed::derive(b"run 1"));
    /// assert_ne!(Seed::derive(b"run 1"), Seed::derive(b"run 2"));
    /// ```
    #[must_use]
    pub fn derive(material: &[u8]) -> Self {
        Self(blake3::derive_key(CONTEXT, material))
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}
