//! The port itself: what a store does, in rows and bytes.

use std::sync::Arc;

use async_trait::async_trait;
use zeph_graph::{ContentId, RunId, Seq, Timestamp};

use crate::chain::Append;
use crate::error::StoreError;
use crate::hash::ChainHash;
use crate::row::Content;
use crate::run::{ListQuery, Request, RequestId, RunRow, StoredRun};

/// The name under which somebody owns runs. Every write of a run names its owner, and no other passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence {
    /// Counts the claims on the store; never used twice.
    pub epoch: u64,
}

/// One group commit across runs: all of it is done or none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// What is appended. Several appends of one run must follow each other.
    pub appends: Vec<Append>,
    /// Requests that are dealt with and leave the inbox. One that is not there is no error, and one
    /// of a run that somebody else owns stays there.
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
/// Many may read, and many may write at once, in one process or in several: each run has one owner,
/// the epoch that created it or [adopted](Self::adopt) it last, and only its owner appends to it.
///
/// Everything that a call acknowledged is there after a crash. Dropping the future of a call leaves
/// the store whole: the call was done or it was not.
///
/// [`conformance::run_all`](crate::conformance::run_all) checks all of this.
#[async_trait]
pub trait RawGraphStore: Send + Sync {
    /// Hands out an epoch that nobody had before, higher than all earlier ones, to own runs under.
    ///
    /// It owns nothing yet, and takes nothing from the holders of other epochs. `owner` is for people
    /// who ask who it is.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError>;

    /// Makes this epoch the owner of a run, open or ended, whoever owned it before.
    ///
    /// From then on commits to that run under any other epoch are refused. Whether the former owner
    /// is still at work is for the caller to know; its other runs stay with it. What it committed
    /// before this call is there when the run is loaded after it. A second call changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn adopt(&self, run: &RunId, fence: Fence) -> Result<(), StoreError>;

    /// Writes everything or nothing, durably. The runs that it creates belong to this epoch.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another epoch owns one of the runs; [`StoreError::Exists`],
    /// [`StoreError::NotFound`], [`StoreError::OutOfOrder`] and [`StoreError::Forked`] when it does
    /// not fit what is stored; after these, nothing is changed. After [`StoreError::Io`] it may have been done or not, and
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

    /// One run as [`list`](Self::list) shows it, at a cost that does not grow with its journal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; otherwise when the store cannot be read.
    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError>;

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
    /// Any epoch may, also one that does not own it: nobody works on a run that has ended.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Open`].
    async fn delete(&self, run: &RunId, fence: Fence) -> Result<(), StoreError>;
}

#[async_trait]
impl<S: RawGraphStore + ?Sized> RawGraphStore for Arc<S> {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        (**self).claim(owner, at).await
    }
    async fn adopt(&self, run: &RunId, fence: Fence) -> Result<(), StoreError> {
        (**self).adopt(run, fence).await
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
    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError> {
        (**self).get(run).await
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
