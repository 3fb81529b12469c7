//! `RawGraphStore`: the port that a store of runs implements, in rows and bytes.

use std::collections::BTreeMap;
use std::slice;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use zeph_graph::{ContentId, RunId, Seq, Timestamp};

use crate::chain::{Append, Chain};
use crate::draft::Draft;
use crate::error::StoreError;
use crate::hash::ChainHash;
use crate::result::{KeyedResult, ResultKey};
use crate::row::{Content, StoredRow};
use crate::run::{ListQuery, NewRun, Request, RequestId, RunRow, RunStatus};

/// The epoch under which a process owns runs. Every commit names it, and a store refuses a commit to a run
/// of another epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence {
    /// Counts the claims on the store; never used twice.
    pub epoch: u64,
}

/// Whether a store knows that an epoch is in use. See [`RawGraphStore::lease`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The store keeps no leases: the caller must know whether the owner has ended.
    Unknown,
    /// The owner keeps its open runs.
    Held {
        /// The name that it claimed the epoch with.
        owner: String,
        /// The time until its lease lapses, unless it is renewed before.
        left: Duration,
    },
    /// The lease has lapsed or was released: the open runs of the epoch may be adopted.
    Lapsed,
}

/// What a process did in a store that several hosts share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A request was posted to the inbox of a run.
    Posted(RunId, RequestId),
    /// A commit has written rows of a run.
    Grown(RunId),
    /// Earlier news were lost: read again what they could be about.
    Missed,
}

/// One group commit across runs: a store writes all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The appends, at most one of each run.
    pub appends: Vec<Append>,
    /// Requests that the owner has handled; the commit removes them from the inbox. An unknown request is
    /// ignored, and a request to a run of another owner stays in the inbox.
    pub settled: Vec<RequestId>,
    /// Drafts to write or to remove, at most one of each run and key. Drafts of a run of another owner are
    /// left as they are.
    pub drafts: Vec<Draft>,
    /// Results to find again by their keys; the last one of a key replaces an earlier one.
    /// Results of a run of another owner are ignored.
    pub results: Vec<KeyedResult>,
}

impl Commit {
    /// A commit of one append.
    #[must_use]
    pub fn one(append: Append) -> Self {
        Self {
            appends: vec![append],
            ..Self::default()
        }
    }

    /// Checks the appends by themselves; a store compares them with its journals.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] or [`StoreError::Exists`] when there are two appends of one run;
    /// [`StoreError::Forked`] or [`StoreError::OutOfOrder`] when one that creates a run does not begin
    /// the chain of that run.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut starts = BTreeMap::new();
        for append in &self.appends {
            let start = append.start();
            if let Some(new) = append.genesis() {
                let chain = Chain::genesis(new);
                start.check_continues(chain.last_seq(), chain.head())?;
            }
            let (run, got) = (append.run().clone(), append.first());
            match starts.insert(append.run(), got) {
                None => {}
                Some(_) if start.creates => return Err(StoreError::Exists { run }),
                Some(expected) => return Err(StoreError::OutOfOrder { run, expected, got }),
            }
        }
        Ok(())
    }

    /// The same commit, which also settles a request.
    #[must_use]
    pub fn settling(mut self, request: RequestId) -> Self {
        self.settled.push(request);
        self
    }
}

/// A run as it is read back, without its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRun {
    /// Its creation data.
    pub new: NewRun,
    /// Its status after the last commit.
    pub status: RunStatus,
    /// The time of its last row, or of its creation when there is none.
    pub updated_at: Timestamp,
    /// Its journal, from the first row, without gaps.
    pub rows: Vec<StoredRow>,
    /// The chain after the last row, ready to continue.
    pub chain: Chain,
}

/// The part of a journal that follows a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTail {
    /// The status of the run after the last commit.
    pub status: RunStatus,
    /// The time of its last row, or of its creation when there is none.
    pub updated_at: Timestamp,
    /// The rows behind the end of the earlier chain, without gaps.
    pub rows: Vec<StoredRow>,
    /// The chain after the last row, ready to continue.
    pub chain: Chain,
}

/// The contents that each row of a run added, without their bytes. [`verify`](crate::verify) uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// One entry for each row, in order.
    pub rows: Vec<RowOutline>,
    /// The ids of all stored contents, in ascending order.
    pub stored: Vec<ContentId>,
}

/// The hashes of one row, and the contents that it added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowOutline {
    /// Its position in the journal.
    pub seq: Seq,
    /// The id of each part that it added, in order; an id is repeated for each of its parts.
    pub contents: Vec<ContentId>,
    /// The hash over these parts.
    pub content_hash: ChainHash,
    /// The hash of the row.
    pub hash: ChainHash,
}

/// A durable store of runs: journals of rows, contents of bytes, an inbox of requests, drafts.
///
/// Many processes may read and write at once. Each run has one owner, the epoch that created it or
/// [adopted](Self::adopt) it last, and only its owner appends to it.
///
/// Everything that a call acknowledges survives a crash. Dropping the future of a call leaves the store
/// consistent: the call took effect as a whole or not at all.
///
/// [`conformance::run_all`](crate::conformance::run_all) checks all of this.
#[async_trait]
pub trait RawGraphStore: Send + Sync {
    /// Returns a new epoch, higher than all earlier ones, to own runs under.
    ///
    /// It owns nothing yet, and other epochs keep their runs. `owner` is a name for people.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError>;

    /// Makes this epoch the owner of a run, open or ended, that the epoch `former` owns.
    ///
    /// From then on the store refuses commits to that run under any other epoch. The caller must know
    /// that the former owner has ended, unless the store keeps [leases](Self::lease); other runs of that owner
    /// are not affected. Of several callers that know the same, one becomes the owner. A load after this call
    /// sees everything that the former owner committed before. A second call changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Fenced`] if neither of the two epochs owns the run;
    /// [`StoreError::Owned`] if the run is open and the former owner has a lease.
    async fn adopt(&self, run: &RunId, former: u64, fence: Fence) -> Result<(), StoreError>;

    /// Whether an epoch is in use, as far as the store knows. A store that several hosts share keeps a lease for
    /// each epoch, by its own clock: it starts with the claim, and the store renews it until it is
    /// [released](Self::release) or dropped.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn lease(&self, _epoch: u64) -> Result<Lease, StoreError> {
        Ok(Lease::Unknown)
    }

    /// Ends the lease of this epoch for good: others may adopt its open runs at once. Until they do, it still owns
    /// them, and may commit to them. A second call changes nothing, and neither does the first one in a store that
    /// keeps no leases.
    ///
    /// # Errors
    /// When the store cannot be written; the lease lapses by itself then.
    async fn release(&self, _fence: Fence) -> Result<(), StoreError> {
        Ok(())
    }

    /// Writes everything or nothing, durably. Runs that it creates belong to this epoch.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another epoch owns one of the runs; [`StoreError::Exists`],
    /// [`StoreError::NotFound`], [`StoreError::OutOfOrder`] and [`StoreError::Forked`] when it does
    /// not fit the stored journals; after these, nothing is changed. After [`StoreError::Io`] the commit
    /// may have taken effect or not, and the store writes no more until it is opened or claimed again.
    async fn commit(&self, commit: &Commit, fence: Fence) -> Result<(), StoreError>;

    /// Reads a run without its contents, and verifies its chain.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Damaged`] with the first row that is not as written.
    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError>;

    /// Reads the rows that follow a chain, which an earlier [`load`](Self::load) or this call returned, and
    /// verifies that they continue it.
    ///
    /// Cost: the rows that are new, however long the journal before them is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Damaged`] with the first row that is not as written, also
    /// when the run does not continue the chain, because it was deleted and begun again.
    async fn load_after(&self, chain: &Chain) -> Result<StoredTail, StoreError>;

    /// All parts of these contents, verified, in the order of `ids`; the parts of one id as written.
    ///
    /// An id that is given twice is answered once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without such a run; [`StoreError::Damaged`] when a part is not as
    /// written, or when an id has no part.
    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError>;

    /// The contents that each row of the run added, without their bytes.
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

    /// The runs whose names begin with `prefix`, by name, at most `limit` of them.
    ///
    /// Cost: grows with the number of runs returned, not with the number stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, StoreError>;

    /// Adds a request to the inbox of a run. It needs no fence: any process may post.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without such a run.
    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError>;

    /// The requests to this run that no commit has settled, oldest first; none without such a run.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn inbox(&self, run: &RunId) -> Result<Vec<Request>, StoreError>;

    /// The news of all processes from now on. They are hints: what they are about is durable before they arrive, and
    /// they may be repeated or late. A receiver that is closed at once belongs to a store without news.
    ///
    /// To miss nothing, first call this, then read, then await the news.
    ///
    /// # Errors
    /// When the store cannot be reached.
    async fn news(&self) -> Result<mpsc::Receiver<News>, StoreError> {
        Ok(mpsc::channel(1).1)
    }

    /// The drafts of this run whose keys begin with `prefix`, in the order of the keys; none without such a
    /// run.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn drafts(&self, run: &RunId, prefix: &str) -> Result<Vec<Draft>, StoreError>;

    /// The latest result of this key; `None` if there is none, or its run was deleted.
    ///
    /// The content is read, and verified, by [`contents`](Self::contents).
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn result(&self, key: &ResultKey) -> Result<Option<KeyedResult>, StoreError>;

    /// Deletes a run that has ended, with its contents, its requests, its drafts and its keyed
    /// results.
    ///
    /// Any epoch may delete it, because an ended run has no active owner.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Open`].
    async fn delete(&self, run: &RunId, fence: Fence) -> Result<(), StoreError> {
        let deleted = self.delete_all(slice::from_ref(run), fence).await?;
        if deleted.is_empty() {
            return Err(StoreError::NotFound { run: run.clone() });
        }
        Ok(())
    }

    /// Deletes ended runs as [`delete`](Self::delete) does, all of them or none; returns those that were
    /// there.
    ///
    /// Cost: one commit. Other writers wait for it, so a caller with many runs passes some hundred at a time.
    ///
    /// # Errors
    /// [`StoreError::Open`] if one of them has not ended; nothing is deleted then.
    async fn delete_all(&self, runs: &[RunId], fence: Fence) -> Result<Vec<RunId>, StoreError>;
}
