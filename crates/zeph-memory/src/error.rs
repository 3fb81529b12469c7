//! `StoreError`: the failures of a store, each with what to do about it.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use zeph_graph::{RunId, Seq};

use crate::hash::ChainHash;

/// The failure of a call of a store. Unless a variant says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such run.
    #[error("there is no run {run}: list the runs to see their names")]
    NotFound {
        /// The run asked for.
        run: RunId,
    },
    /// There is already a run of that name.
    #[error(
        "there is already a run {run}: choose another name, or delete that run once it has ended"
    )]
    Exists {
        /// The run that was to be created.
        run: RunId,
    },
    /// Another process owns the run.
    #[error(
        "run {run} was taken over by another process (its epoch is {theirs}, ours is {ours}); this process no longer writes to it"
    )]
    Fenced {
        /// The run.
        run: RunId,
        /// The epoch of the fence that was presented.
        ours: u64,
        /// The epoch that owns the run.
        theirs: u64,
    },
    /// The owner of the run has a lease, so the run cannot be adopted.
    #[error(
        "run {run} is owned by {owner}, which keeps it for {} more unless it renews its lease: ask that process to suspend it, or try again when the lease has lapsed", seconds(*.left)
    )]
    Owned {
        /// The run.
        run: RunId,
        /// The name of the owner.
        owner: String,
        /// The time until its lease lapses.
        left: Duration,
    },
    /// An append does not begin where the journal ends.
    #[error(
        "run {run}: the next row is {expected}, not {got}: load the run again and continue from there"
    )]
    OutOfOrder {
        /// The run.
        run: RunId,
        /// The position where the next row belongs.
        expected: Seq,
        /// The position that the append begins at.
        got: Seq,
    },
    /// An append begins at the right position, but continues another history.
    #[error(
        "run {run}: row {seq} continues from {got}, but the journal ends in {stored}: load the run again and continue from there"
    )]
    Forked {
        /// The run.
        run: RunId,
        /// The position of the first row of the append.
        seq: Seq,
        /// The head of the stored chain.
        stored: ChainHash,
        /// The head that the append was made from.
        got: ChainHash,
    },
    /// The stored data is not as it was written.
    #[error("run {run} is damaged{}: {what}; restore it from a backup (other runs are not affected)", place(*.seq))]
    Damaged {
        /// The run.
        run: RunId,
        /// The first row that is affected, when it is a row.
        seq: Option<Seq>,
        /// The damage.
        what: String,
    },
    /// The run has not ended, so it cannot be deleted.
    #[error("run {run} is still open: cancel it, or let it end, before it is deleted")]
    Open {
        /// The run.
        run: RunId,
    },
    /// The store was written by a newer version.
    #[error(
        "{} has schema {found}, this version knows up to {known}: use the newer version that wrote it", path.display()
    )]
    Newer {
        /// The path of the store.
        path: PathBuf,
        /// The schema of the store.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// An unreleased version wrote the store, and there is no migration from its schema.
    #[error(
        "{} has schema {found}, which an unreleased earlier version wrote; there is no migration: move the file away, and a new one is created", path.display()
    )]
    Unreleased {
        /// The path of the store.
        path: PathBuf,
        /// The schema of the store.
        found: i64,
    },
    /// The file at the path is not a run database. It was not changed.
    #[error("{} is not a run database: {why}; it was not changed; move it away or choose another path", path.display())]
    NotADatabase {
        /// The path of the file.
        path: PathBuf,
        /// The reason why it is none.
        why: String,
    },
    /// The database was deleted or replaced while it was open.
    #[error("the database {} was deleted or replaced while it was open: put it back or restore a backup, then start again", path.display())]
    Replaced {
        /// The path of the database.
        path: PathBuf,
    },
    /// The log beside the database was damaged or removed: saved commits are missing.
    #[error("the log of {} was damaged or removed: {lost} was saved and is missing; restore a backup of the database with its log, or remove {} to go on without what is missing", path.display(), note.display())]
    LogDamaged {
        /// The path of the database.
        path: PathBuf,
        /// The last commit that was saved.
        lost: String,
        /// The file that has the note of it.
        note: PathBuf,
    },
    /// The database library is too old: it has known defects.
    #[error(
        "{library} {found} is too old, at least {needed} is needed: build with the bundled version"
    )]
    OldLibrary {
        /// The name of the library.
        library: &'static str,
        /// Its version.
        found: String,
        /// The oldest version that is accepted.
        needed: &'static str,
    },
    /// A commit, or one part, is larger than the store accepts.
    #[error(
        "{bytes} bytes are too many for one commit, the limit is {limit}: write less at a time"
    )]
    TooLarge {
        /// The size in bytes.
        bytes: u64,
        /// The largest size in bytes.
        limit: u64,
    },
    /// The disk is full.
    #[error("the disk is full: free some space, then resume")]
    Full {
        /// The error of the system.
        source: Cause,
    },
    /// Another process holds the lock of the store.
    #[error(
        "the store is busy: another process has held its lock for too long; try again, or find that process"
    )]
    Busy {
        /// The error of the system.
        source: Cause,
    },
    /// An earlier write failed with an unknown outcome.
    #[error(
        "the store accepts no more writes because an earlier one failed ({what}): remove the cause, then open the store again"
    )]
    Broken {
        /// The failure of that earlier write.
        what: String,
    },
    /// Reading or writing failed. A write that failed like this may have taken effect or not.
    #[error(
        "{what} failed: {source}; check the disk and its permissions, or the server and the connection, then open the store again"
    )]
    Io {
        /// The operation that failed.
        what: String,
        /// The error of the system.
        source: Cause,
    },
}

/// The error below a [`StoreError`], from the system or the library.
type Cause = Box<dyn Error + Send + Sync>;

impl StoreError {
    /// Damage to a run as a whole, or to a row of it.
    #[must_use]
    pub fn damaged(run: &RunId, seq: Option<Seq>, what: impl Into<String>) -> Self {
        Self::Damaged {
            run: run.clone(),
            seq,
            what: what.into(),
        }
    }

    /// A failure of the system during an operation.
    #[must_use]
    pub fn io(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Io {
            what: what.into(),
            source: source.into(),
        }
    }

    /// A failed call of the system during an operation: [`Full`](Self::Full) if there is no space, else
    /// [`Io`](Self::Io).
    #[must_use]
    pub fn system(what: impl Into<String>, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        if matches!(source.kind(), StorageFull | QuotaExceeded) {
            return Self::Full {
                source: source.into(),
            };
        }
        Self::io(what, source)
    }

    /// The same error, with that row if it is damage without a row.
    #[must_use]
    pub fn at_row(mut self, row: Seq) -> Self {
        if let Self::Damaged {
            seq: seq @ None, ..
        } = &mut self
        {
            *seq = Some(row);
        }
        self
    }

    /// The kind of error in one stable word, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Exists { .. } => "exists",
            Self::Fenced { .. } => "fenced",
            Self::Owned { .. } => "owned",
            Self::OutOfOrder { .. } => "out_of_order",
            Self::Forked { .. } => "forked",
            Self::Damaged { .. } => "damaged",
            Self::Open { .. } => "open",
            Self::Newer { .. } => "newer",
            Self::Unreleased { .. } => "unreleased",
            Self::NotADatabase { .. } => "not_a_database",
            Self::Replaced { .. } => "replaced",
            Self::LogDamaged { .. } => "log_damaged",
            Self::OldLibrary { .. } => "old_library",
            Self::TooLarge { .. } => "too_large",
            Self::Full { .. } => "full",
            Self::Busy { .. } => "busy",
            Self::Broken { .. } => "broken",
            Self::Io { .. } => "io",
        }
    }
}

/// Whole seconds, rounded up: in that time the lease has certainly lapsed.
fn seconds(left: Duration) -> String {
    format!("{} s", left.as_millis().div_ceil(1_000))
}

fn place(seq: Option<Seq>) -> String {
    seq.map_or_else(String::new, |seq| format!(" at row {seq}"))
}
