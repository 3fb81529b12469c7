//! The limits of registered secrets.

/// The fewest bytes of a secret: a shorter one would match ordinary words.
pub const MIN_SECRET_BYTES: usize = 6;

/// The most secrets of a redactor. Secrets that are suffixes of each other all match at one place, so the
/// cost per byte of a text grows with their number in the worst case.
pub const MAX_SECRETS: usize = 512;

/// The most bytes of all secrets together: 1 MiB.
pub const MAX_SECRETS_BYTES: usize = 1 << 20;
