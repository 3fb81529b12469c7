//! Runs as a store sees them: how they begin, how they stand, how they are listed and asked for things.

use std::fmt;

use bytes::Bytes;
use zeph_graph::{RunId, Seq, Timestamp};

use crate::chain::Chain;
use crate::row::StoredRow;

/// What a run is created with. It never changes afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// The name of the run.
    pub run: RunId,
    /// What a person calls it; any text.
    pub title: String,
    /// When it was created: the key of the list.
    pub created_at: Timestamp,
    /// Opaque bytes, JSON in practice.
    pub header: Bytes,
}

impl NewRun {
    /// A run to create.
    #[must_use]
    pub fn new(
        run: RunId,
        title: impl Into<String>,
        created_at: Timestamp,
        header: impl Into<Bytes>,
    ) -> Self {
        Self {
            run,
            title: title.into(),
            created_at,
            header: header.into(),
        }
    }
}

/// How a run stands: a digest of its journal for lists, written with every commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStatus {
    /// One short word, such as `running`; opaque.
    pub state: String,
    /// False when the run has ended: only then may it be deleted.
    pub open: bool,
    /// JSON text; opaque.
    pub summary: String,
}

impl RunStatus {
    /// The status of a run that goes on, with an empty summary.
    #[must_use]
    pub fn open(state: impl Into<String>) -> Self {
        Self {
            state: state.into(),
            open: true,
            summary: "{}".into(),
        }
    }

    /// The status of a run that has ended, with an empty summary.
    #[must_use]
    pub fn ended(state: impl Into<String>) -> Self {
        Self {
            state: state.into(),
            open: false,
            summary: "{}".into(),
        }
    }

    /// The same status with that summary.
    #[must_use]
    pub fn with_summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }
}

/// A run as it is read back: everything but its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRun {
    /// What it was created with.
    pub new: NewRun,
    /// How it stood after the last commit.
    pub status: RunStatus,
    /// The time of its last row, or of its creation when there is none.
    pub updated_at: Timestamp,
    /// Its journal, from the first row, without gaps.
    pub rows: Vec<StoredRow>,
    /// Positioned after the last row, ready to continue.
    pub chain: Chain,
}

/// Which runs to list: the newest first, a page at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// At most that many; 0 gives none.
    pub limit: u32,
    /// Only what comes after that place of the list.
    pub before: Option<Cursor>,
    /// Only open runs, only ended ones, or both.
    pub open: Option<bool>,
}

impl Default for ListQuery {
    /// The 100 newest runs.
    fn default() -> Self {
        Self {
            limit: 100,
            before: None,
            open: None,
        }
    }
}

/// A place in the list of runs. It stays valid while runs come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the run at that place was created.
    pub created_at: Timestamp,
    /// The name of the run, which decides between runs of one moment.
    pub run: RunId,
}

/// One line of the list of runs. Nothing in it is verified; [`RawGraphStore::load`] does that.
///
/// [`RawGraphStore::load`]: crate::RawGraphStore::load
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The name of the run.
    pub run: RunId,
    /// What a person calls it.
    pub title: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// The time of its last row, or of its creation when there is none.
    pub updated_at: Timestamp,
    /// The place of its last row; 0 when there is none.
    pub last_seq: Seq,
    /// How it stands.
    pub status: RunStatus,
    /// The epoch of its owner: the one that created it, or adopted it last.
    pub epoch: u64,
}

impl RunRow {
    /// Its place in the list: the `before` of the next page when it is the last line of this one.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor {
            created_at: self.created_at,
            run: self.run.clone(),
        }
    }
}

/// The number of a request in a store's inbox; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// The request with that number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What some process asks of the owner of a run. It stays in the inbox until a commit settles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub id: RequestId,
    /// The run that it is about.
    pub run: RunId,
    /// When it was posted.
    pub at: Timestamp,
    /// What is asked; opaque.
    pub body: String,
}
