//! The note of the last commit, a small file beside the database: it shows that a damaged log lost commits.
//!
//! SQLite ends its recovery at the first damaged frame of a log, without an error, as if the later commits
//! had never been. The note is written after a commit is durable, without a sync of its own: a power loss
//! may leave any older note, also one that had been removed, but never one that is ahead of the log.
//!
//! So an older note must stay true. A row can be deleted later, and a deleted run can be created again; the
//! note therefore has the last number of the inbox as well, which only grows, and of which a deletion takes
//! one. A database with a later number had the commit: a log is lost from its end only.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;
use zeph_graph::RunId;
use zeph_memory::{ChainHash, RequestId, StoreError};

use crate::database_file::with_suffix;
use crate::sqlite_error;

/// Every note has this length, so that one write replaces it.
const NOTE_BYTES: usize = 512;

/// What a commit saved, and can be looked up later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// A run up to a row with that hash, when the inbox had that last number; row 0 is its beginning.
    Row(RunId, u64, ChainHash, RequestId),
    /// A request in the inbox, which may have been handled since.
    Request(RequestId),
    /// The run was deleted, which took that number.
    Deleted(RunId, RequestId),
}

impl Saved {
    fn to_line(&self) -> String {
        match self {
            Self::Row(run, seq, hash, last) => format!("row {run} {seq} {hash} {last}"),
            Self::Request(id) => format!("request {id}"),
            Self::Deleted(run, id) => format!("deleted {run} {id}"),
        }
    }

    fn from_line(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["row", run, seq, hash, last] => Some(Self::Row(
                run.parse().ok()?,
                seq.parse().ok()?,
                hash.parse().ok()?,
                RequestId::new(last.parse().ok()?),
            )),
            ["request", id] => Some(Self::Request(RequestId::new(id.parse().ok()?))),
            ["deleted", run, id] => Some(Self::Deleted(
                run.parse().ok()?,
                RequestId::new(id.parse().ok()?),
            )),
            _ => None,
        }
    }

    /// What is missing, for people.
    fn describe(&self) -> String {
        match self {
            Self::Row(run, 0, ..) => format!("run {run}"),
            Self::Row(run, seq, ..) => format!("row {seq} of run {run}"),
            Self::Request(id) => format!("request {id}"),
            Self::Deleted(run, _) => format!("the deletion of run {run}"),
        }
    }

    async fn is_there(&self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        let sql = "SELECT max(seq) FROM sqlite_sequence WHERE name = 'inbox'";
        let last: Option<i64> = sqlx::query_scalar(sql).fetch_one(&mut *connection).await?;
        let last = last.unwrap_or_default().unsigned_abs();
        let query = match self {
            Self::Request(id) | Self::Deleted(_, id) => return Ok(last >= id.get()),
            Self::Row(.., then) if last > then.get() => return Ok(true),
            Self::Row(run, 0, genesis, _) => {
                sqlx::query_scalar("SELECT count(*) FROM runs WHERE run = ?1 AND genesis = ?2")
                    .bind(run.as_str())
                    .bind(genesis.as_bytes().to_vec())
            }
            Self::Row(run, seq, hash, _) => sqlx::query_scalar(
                "SELECT count(*) FROM journal WHERE run = ?1 AND hash = ?2 AND seq = ?3",
            )
            .bind(run.as_str())
            .bind(hash.as_bytes().to_vec())
            .bind(seq.cast_signed()),
        };
        let found: i64 = query.fetch_one(connection).await?;
        Ok(found > 0)
    }
}

/// The file with the note. It is made by the first commit.
#[derive(Debug)]
pub(crate) struct LastCommit {
    path: PathBuf,
    file: Option<File>,
}

impl LastCommit {
    pub(crate) fn beside(database: &Path) -> Self {
        Self {
            path: with_suffix(database, "-last"),
            file: None,
        }
    }

    /// Replaces the note. A note that cannot be written is no reason to fail a commit that is durable.
    pub(crate) fn write(&mut self, saved: &Saved) {
        if self.put(&saved.to_line()).is_err() {
            // The note before it is still true of the database.
            self.file = None;
        }
    }

    fn put(&mut self, line: &str) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(
                OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o600)
                    .open(&self.path)?,
            ),
        };
        // Twice the same line: a torn or damaged note is none.
        let half = NOTE_BYTES / 2 - 1;
        let text = format!("{line:<half$}\n{line:<half$}\n");
        file.write_all_at(&text.as_bytes()[..NOTE_BYTES.min(text.len())], 0)
    }

    /// Clears the note after the log was written back; `is_last` if no other process has the database open.
    pub(crate) fn clear(&mut self, is_last: bool) {
        if is_last {
            // The note of a database whose file is complete says nothing new.
            let _ = fs::remove_file(&self.path);
        } else if self.file.is_some() {
            let _ = self.put("none");
        }
        self.file = None;
    }

    /// Fails if the database does not have what the note says was saved.
    pub(crate) async fn check(
        database: &Path,
        connection: &mut SqliteConnection,
    ) -> Result<(), StoreError> {
        let note = with_suffix(database, "-last");
        let Some(saved) = read(&note) else {
            return Ok(());
        };
        match saved.is_there(connection).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::LogDamaged {
                path: database.to_owned(),
                lost: saved.describe(),
                note,
            }),
            Err(error) => Err(sqlite_error::opening(database, error)),
        }
    }
}

fn read(note: &Path) -> Option<Saved> {
    let file = File::open(note).ok()?;
    let mut bytes = [0; NOTE_BYTES];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let (one, two) = bytes.split_at(NOTE_BYTES / 2);
    let text = std::str::from_utf8(one).ok().filter(|_| one == two)?;
    Saved::from_line(text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_back_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("runs.db");
        let path = folder.path().join("runs.db-last");
        let run: RunId = "a".repeat(64).parse().unwrap();
        let mut note = LastCommit::beside(&database);
        for saved in [
            Saved::Row(
                run.clone(),
                u64::MAX,
                ChainHash::from_bytes([7; 32]),
                RequestId::new(u64::MAX),
            ),
            Saved::Request(RequestId::new(9)),
            Saved::Deleted(run, RequestId::new(u64::MAX)),
        ] {
            note.write(&saved);
            assert_eq!(read(&path), Some(saved));
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes[9] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path), None);
        note.clear(true);
        assert!(!path.exists());
    }
}
