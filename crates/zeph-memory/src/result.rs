//! Keyed results: where the result of an equal computation is found again.

use zeph_graph::{ContentId, RunId};

/// A result that an equal computation may have instead of being made again.
///
/// It is a reference: the content belongs to its run, and is deleted with it. Not part of the hash chain, and not
/// exported, so a run from elsewhere gives no computation of this store a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedResult {
    /// The hash over everything that the result depends on.
    pub key: ResultKey,
    /// The run.
    pub run: RunId,
    /// The content of the run.
    pub content: ContentId,
}

/// The key of a result: a hash of 32 bytes, which a store does not interpret.
pub type ResultKey = [u8; 32];
