//! Limits of registered secrets, and the errors. No message contains a value.

/// The fewest bytes of a secret: a shorter one would match ordinary words.
pub const MIN_SECRET_BYTES: usize = 6;

/// The most secrets of a redactor. Secrets that are suffixes of each other all match at one place, so the
/// cost per byte of a text grows with their number in the worst case.
pub const MAX_SECRETS: usize = 512;

/// The most bytes of all secrets together: 1 MiB.
pub const MAX_SECRETS_BYTES: usize = 1 << 20;

/// A secret that cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The name is invalid in a marker.
    #[error(
        "the name of secret {name:?} is invalid: use 1 to 64 ASCII letters, digits, `_`, `-` or `.`"
    )]
    Name {
        /// The name, made printable and shortened.
        name: String,
    },
    /// The value is so short that it would match ordinary words.
    #[error(
        "secret {name:?} has {bytes} bytes and needs at least {MIN_SECRET_BYTES}: use a longer secret, or do not register it"
    )]
    TooShort {
        /// The secret's name.
        name: String,
        /// The bytes of its value, without the white space around it.
        bytes: usize,
    },
    /// The value contains a character of markers.
    #[error(
        "secret {name:?} contains `‹` or `›`, which are reserved for markers: choose another secret"
    )]
    MarkerCharacter {
        /// The secret's name.
        name: String,
    },
    /// The value occurs in the marker of a secret, so that the marker would be redacted.
    #[error(
        "the value of secret {name:?} occurs in the marker of secret {marked:?}: rename the latter, or change the value"
    )]
    InMarker {
        /// The secret with the value.
        name: String,
        /// The secret with the marker.
        marked: String,
    },
    /// There are too many secrets, or they are too long.
    #[error(
        "more than {MAX_SECRETS} secrets, or more than {MAX_SECRETS_BYTES} bytes of them: register fewer (secret {name:?} is the first beyond the limit)"
    )]
    OverLimit {
        /// The first secret beyond the limit.
        name: String,
    },
    /// The search automaton cannot be built.
    #[error("the search for secrets cannot be built: register fewer")]
    TooMany(#[source] aho_corasick::BuildError),
}
