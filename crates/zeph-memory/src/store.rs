//! The port itself: what a store does, in rows and bytes.

use std::sync::Arc;

use async_trait::async_trait;
use zeph_graph::{ContentId, RunId, Seq, Timestamp};

use crate::chain::Append;
use crate::error::StoreError;
use crate::hash::ChainHash;
use crate::row::Content;
use crate::run::{ListQuery, Request, RequestId, RunRow, StoredRun};

/// Proof of having become the writer. The newest one wins; all earlier ones are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence {
    /// Counts the writers that the store has had.
    pub epoch: u64,
}

/// One group commit across runs: all of it is done or none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// What is appended. Several appends of one run must follow each other.
    pub appends: Vec<Append>,
    /// Requests that are dealt with and leave the inbox. One that is not there is no error.
    pub settled: Vec<RequestId>,
}

impl Commit {
    /// A commit of one append.
    #[must_use]
    pub fn one(append: Append) -> Self {
        Self {
            appends: vec![append],
            settled: Vec::new(),
        }
    }

    /// The same commit, which also settles a request.
    #[must_use]
    pub fn settling(mut self, request: RequestId) -> Self {
        self.settled.push(request);
        self
    }
}

/// Where a run's contents belong, without their bytes: what [`verify`](crate::verify) works from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// One entry for each row, in order.
    pub rows: Vec<RowOutline>,
    /// The ids under which any part is stored, in ascending order.
    pub stored: Vec<ContentId>,
}

/// The hashes of one row, and the contents that it brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowOutline {
    /// Its place in the journal.
    pub seq: Seq,
    /// The id of each part that it brought, in order; an id is repeated for each of its parts.
    pub contents: Vec<ContentId>,
    /// The hash over these parts.
    pub content_hash: ChainHash,
    /// The hash of the row.
    pub hash: ChainHash,
}

/// A durable home for runs: journals of rows, contents of bytes, an inbox of requests.
///
/// Many may read; one writes, the newest that [claimed](Self::claim) the store. Everything that a
/// call acknowledged is there after a crash. Dropping the future of a call leaves the store whole:
/// the call was done or it was not.
///
/// [`conformance::run_all`](crate::conformance::run_all) checks all of this.
#[async_trait]
pub trait RawGraphStore: Send + Sync {
    /// Becomes the writer: raises the epoch, which shuts out all earlier holders of a fence.
    ///
    /// `owner` is for people who ask who it is.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError>;

    /// Writes everything or nothing, durably.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Exists`], [`StoreError::NotFound`],
    /// [`StoreError::OutOfOrder`] and [`StoreError::Forked`] when it does not fit what is stored;
    /// after these, nothing is changed. After [`StoreError::Io`] it may have been done or not, and
    /// the store writes no more until it is opened or claimed again.
    async fn commit(&self, commit: Commit, fence: Fence) -> Result<(), StoreError>;

    /// Reads a run without its contents, and verifies its chain.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Damaged`] with the first row that is not as written.
    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError>;

    /// All parts of these contents, verified: in the order of `ids`, the parts of one id as written.
    ///
    /// An id that is named twice is answered once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without such a run; [`StoreError::Damaged`] when a part is not as
    /// written, or when nothing is stored under an id.
    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError>;

    /// Where the run's contents belong, without their bytes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Damaged`] when it cannot be read.
    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError>;

    /// Runs, the newest first. Damage to one run does not hide the others.
    ///
    /// # Errors
    /// When the store cannot be read: an unreadable store is never an empty one.
    async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, StoreError>;

    /// Leaves a request for the owner of a run. Anybody may, without a fence.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without such a run.
    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError>;

    /// All requests that no commit has settled, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn inbox(&self) -> Result<Vec<Request>, StoreError>;

    /// Deletes a run that has ended, with its contents and its requests.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Open`], [`StoreError::Fenced`].
    async fn delete(&self, run: &RunId, fence: Fence) -> Result<(), StoreError>;
}

#[async_trait]
impl<S: RawGraphStore + ?Sized> RawGraphStore for Arc<S> {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        (**self).claim(owner, at).await
    }
    async fn commit(&self, commit: Commit, fence: Fence) -> Result<(), StoreError> {
        (**self).commit(commit, fence).await
    }
    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        (**self).load(run).await
    }
    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError> {
        (**self).contents(run, ids).await
    }
    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError> {
        (**self).outline(run).await
    }
    async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, StoreError> {
        (**self).list(query).await
    }
    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError> {
        (**self).post(run, at, body).await
    }
    async fn inbox(&self) -> Result<Vec<Request>, StoreError> {
        (**self).inbox().await
    }
    async fn delete(&self, run: &RunId, fence: Fence) -> Result<(), StoreError> {
        (**self).delete(run, fence).await
    }
}
