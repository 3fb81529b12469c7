//! Drafts: bytes of a run that grow and are replaced, outside of its journal.

use bytes::Bytes;
use zeph_graph::{RunId, Timestamp};

use crate::hash::{ChainHash, Framed};

/// Bytes of a run that are not final, such as the log of a running attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The run.
    pub run: RunId,
    /// The name of the draft within the run.
    pub key: String,
    /// When it was written.
    pub at: Timestamp,
    /// The bytes, which the store does not interpret. In a commit `None` removes the draft; in a draft that
    /// is read `None` means that it is not as it was written.
    pub bytes: Option<Bytes>,
}

impl Draft {
    /// The hash that a store keeps beside a draft, over all its fields.
    #[must_use]
    pub fn hash(run: &RunId, key: &str, at: Timestamp, bytes: &[u8]) -> ChainHash {
        Framed::new("zeph-memory v2 draft")
            .bytes(run.as_str().as_bytes())
            .bytes(key.as_bytes())
            .number(at.as_micros())
            .bytes(bytes)
            .end()
    }
}
