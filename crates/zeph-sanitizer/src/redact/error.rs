//! Why a secret cannot be registered. No message shows a value.

use crate::redact::{MAX_SECRETS, MAX_SECRETS_BYTES, MIN_SECRET_BYTES};

/// A secret that cannot be registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The name does not fit into a marker.
    #[error(
        "secret {name:?} has no usable name: give it 1 to 64 ASCII letters, digits, `_`, `-` or `.`"
    )]
    Name {
        /// The name, made printable and shortened.
        name: String,
    },
    /// The value is so short that ordinary words would be taken for it.
    #[error(
        "secret {name:?} has {bytes} bytes and needs at least {MIN_SECRET_BYTES}: use a longer secret, or do not register it"
    )]
    TooShort {
        /// The secret's name.
        name: String,
        /// The bytes of its value, without the white space around it.
        bytes: usize,
    },
    /// The value contains a character that markers are made of.
    #[error(
        "secret {name:?} contains `‹` or `›`, which markers are made of: choose another secret"
    )]
    MarkerCharacter {
        /// The secret's name.
        name: String,
    },
    /// The value stands in the marker of a secret, so that a marker would be redacted, too.
    #[error(
        "the value of secret {name:?} would be found in the marker of secret {marked:?}: rename the latter, or change the value"
    )]
    InMarker {
        /// The secret whose value it is.
        name: String,
        /// The secret whose marker it is.
        marked: String,
    },
    /// There are more secrets than are searched for, or they are longer.
    #[error(
        "more than {MAX_SECRETS} secrets, or more than {MAX_SECRETS_BYTES} bytes of them: each text would be searched too slowly; register fewer (secret {name:?} is the first one too many)"
    )]
    OverLimit {
        /// The first secret that is too many.
        name: String,
    },
    /// The search cannot hold so many secrets, or such long ones.
    #[error("the secrets are too many or too long to be searched for: register fewer")]
    TooMany(#[source] aho_corasick::BuildError),
}
