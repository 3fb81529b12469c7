//! A commit as SQL statements: at most three for all of its appends, one that deletes requests, two for drafts,
//! and one for keyed results.

use std::collections::BTreeSet;
use std::fmt::Write;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use zeph_graph::{RunId, Seq};
use zeph_memory::{
    Append, AppendStart, ChainHash, Commit, Fence, RequestId, SealedRow, StoreError,
};

use crate::bulk::{Bulk, Slice};
use crate::drafts::DraftStatements;
use crate::last_commit::Saved;
use crate::{results, sqlite_error};

/// Creates and updates runs, and returns their names, and the last number of the inbox. It skips a run that another owner has adopted, or
/// whose journal does not end where the append begins.
const PUT_RUNS: &str = "
INSERT INTO runs (run, title, created_at, updated_at, state, open, summary, epoch, last_seq, head, genesis, status_hash)
SELECT new.run, new.title, new.created_at, new.updated_at, new.state, new.open, new.summary, ?3, new.last_seq,
       new.head, new.genesis, new.status_hash
FROM (
    SELECT value ->> 0 AS creating,
           CAST(substr(?2, value ->> 1, value ->> 2) AS TEXT) AS run,
           CAST(substr(?2, value ->> 3, value ->> 4) AS TEXT) AS title,
           value ->> 5 AS created_at,
           value ->> 6 AS updated_at,
           CAST(substr(?2, value ->> 7, value ->> 8) AS TEXT) AS state,
           value ->> 9 AS open,
           CAST(substr(?2, value ->> 10, value ->> 11) AS TEXT) AS summary,
           value ->> 12 AS first_seq,
           value ->> 13 AS last_seq,
           substr(?2, value ->> 14, 32) AS prev,
           substr(?2, (value ->> 14) + 32, 32) AS head,
           substr(?2, (value ->> 14) + 64, 32) AS genesis,
           substr(?2, (value ->> 14) + 96, 32) AS status_hash
    FROM json_each(?1)
) AS new
LEFT JOIN runs AS old ON old.run = new.run
WHERE CASE WHEN new.creating THEN old.run IS NULL
           ELSE old.epoch = ?3 AND old.last_seq + 1 = new.first_seq AND old.head = new.prev END
ON CONFLICT (run) DO UPDATE SET
    updated_at = excluded.updated_at, state = excluded.state, open = excluded.open,
    summary = excluded.summary, last_seq = excluded.last_seq, head = excluded.head,
    status_hash = excluded.status_hash
RETURNING run, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'inbox')";

const PUT_ROWS: &str = "
INSERT INTO journal (run, seq, at, payload, contents, content_hash, hash)
SELECT CAST(substr(?2, value ->> 0, value ->> 1) AS TEXT),
       value ->> 2,
       value ->> 3,
       CAST(substr(?2, value ->> 4, value ->> 5) AS TEXT),
       nullif(CAST(substr(?2, value ->> 6, value ->> 7) AS TEXT), ''),
       substr(?2, value ->> 8, 32),
       substr(?2, (value ->> 8) + 32, 32)
FROM json_each(?1)";

const PUT_CONTENTS: &str = "
INSERT INTO contents (run, content, seq, part, kind, name, bytes, hash)
SELECT CAST(substr(?2, value ->> 0, value ->> 1) AS TEXT),
       value ->> 2,
       value ->> 3,
       value ->> 4,
       CAST(substr(?2, value ->> 5, value ->> 6) AS TEXT),
       CAST(substr(?2, value ->> 7, value ->> 8) AS TEXT),
       substr(?2, value ->> 9, value ->> 10),
       substr(?2, value ->> 11, 32)
FROM json_each(?1)";

/// Removes settled requests from the inbox.
const SETTLE: &str = "
DELETE FROM inbox WHERE id IN (SELECT value FROM json_each(?1))
  AND EXISTS (SELECT 1 FROM runs WHERE runs.run = inbox.run AND runs.epoch = ?2)";

/// Rows that are left of a run whose line is missing keep a new run of that name from being written.
const LEFT_OVER: &str = "
SELECT EXISTS (SELECT 1 FROM journal WHERE run = ?1) OR EXISTS (SELECT 1 FROM contents WHERE run = ?1)";

/// The kind and the content number of the header of a run.
const HEADER: (&str, u64) = ("header", 0);

/// The parameters of the statements of a commit, built before the database is locked.
#[derive(Debug)]
pub(crate) struct Statements {
    runs: Bulk,
    rows: Bulk,
    contents: Bulk,
    settled: String,
    drafts: DraftStatements,
    results: Bulk,
    /// Where each append begins; used to find out why a run was skipped.
    starts: Vec<AppendStart>,
    /// The end of the last append.
    end: Option<(RunId, Seq, ChainHash)>,
}

/// What the statements of a commit did.
#[derive(Debug, Default)]
pub(crate) struct Executed {
    /// The number of statements.
    pub(crate) statements: u64,
    /// What the database has after the commit, if it has an append.
    pub(crate) saved: Option<Saved>,
}

impl Statements {
    /// Copies the texts and bytes of a commit into parameters.
    ///
    /// # Errors
    /// As [`Commit::check`].
    pub(crate) fn new(commit: &Commit) -> Result<Self, StoreError> {
        commit.check()?;
        let (mut runs, mut rows, mut contents) =
            (Bulk::default(), Bulk::default(), Bulk::default());
        for append in &commit.appends {
            put_run(&mut runs, append);
            let run = append.run();
            let (in_rows, in_contents) = (rows.shared(run), contents.shared(run));
            if let Some(new) = append.genesis() {
                put_header(&mut contents, in_contents, &new.header, append.prev());
            }
            for row in append.rows() {
                put_row(&mut rows, in_rows, row);
                put_parts(&mut contents, in_contents, row);
            }
        }
        let ids: Vec<_> = commit.settled.iter().map(ToString::to_string).collect();
        let settled = if ids.is_empty() {
            String::new()
        } else {
            format!("[{}]", ids.join(","))
        };
        Ok(Self {
            runs,
            rows,
            contents,
            settled,
            drafts: DraftStatements::new(&commit.drafts),
            results: results::parameters(&commit.results),
            starts: commit.appends.iter().map(Append::start).collect(),
            end: (commit.appends.last()).map(|last| (last.run().clone(), last.last(), last.head())),
        })
    }

    /// Executes the statements in an open transaction. After an error the caller must roll the transaction
    /// back.
    pub(crate) async fn execute(
        self,
        connection: &mut SqliteConnection,
        fence: Fence,
    ) -> Result<Executed, StoreError> {
        let mut executed = Executed::default();
        if !self.runs.is_empty() {
            let expected = self.runs.rows();
            let (json, blob) = self.runs.finish()?;
            let query = sqlx::query(PUT_RUNS)
                .bind(json)
                .bind(blob)
                .bind(signed(fence.epoch));
            let written = query.fetch_all(&mut *connection).await.map_err(writing)?;
            if written.len() as u64 != expected {
                return Err(why_refused(connection, &self.starts, &written, fence).await);
            }
            executed.statements += 1;
            if let (Some((run, seq, head)), Some(row)) = (self.end, written.first()) {
                let last: i64 = row.try_get(1).map_err(writing)?;
                let last = RequestId::new(last.unsigned_abs());
                executed.saved = Some(Saved::Row(run, seq.get(), head, last));
            }
        }
        for (sql, bulk) in [(PUT_ROWS, self.rows), (PUT_CONTENTS, self.contents)] {
            if !bulk.is_empty() {
                let (json, blob) = bulk.finish()?;
                let query = sqlx::query(sql).bind(json).bind(blob);
                if let Err(error) = query.execute(&mut *connection).await {
                    return Err(why_not_written(connection, &self.starts, error).await);
                }
                executed.statements += 1;
            }
        }
        if !self.settled.is_empty() {
            sqlx::query(SETTLE)
                .bind(self.settled)
                .bind(signed(fence.epoch))
                .execute(&mut *connection)
                .await
                .map_err(writing)?;
            executed.statements += 1;
        }
        executed.statements += self.drafts.execute(&mut *connection, fence).await?;
        executed.statements += results::write(connection, self.results, fence).await?;
        Ok(executed)
    }
}

fn put_run(bulk: &mut Bulk, append: &Append) {
    // An existing run keeps its title, creation time and genesis: the values sent here are ignored.
    let (title, created_at) = append
        .genesis()
        .map_or(("", 0), |new| (&new.title, new.created_at.as_micros()));
    let (status, prev) = (append.status(), append.prev());
    bulk.row()
        .number(append.genesis().is_some().into())
        .bytes(append.run().as_str().as_bytes())
        .bytes(title.as_bytes())
        .number(created_at)
        .number(append.updated_at().as_micros())
        .bytes(status.state.as_bytes())
        .number(status.open.into())
        .bytes(status.summary.as_bytes())
        .number(append.first().get())
        .number(append.last().get())
        .hashes(&[prev, append.head(), prev, append.status_hash()]);
}

fn put_header(bulk: &mut Bulk, run: Slice, header: &[u8], genesis: ChainHash) {
    let (kind, number) = HEADER;
    bulk.row()
        .at(run)
        .number(number)
        .number(0)
        .number(0)
        .bytes(kind.as_bytes())
        .bytes(b"")
        .bytes(header)
        .hashes(&[genesis]);
}

fn put_row(bulk: &mut Bulk, run: Slice, row: &SealedRow) {
    let mut ids = String::new();
    for part in row.contents() {
        // Writing to a string cannot fail.
        let _ = write!(ids, "{}{}", if ids.is_empty() { '[' } else { ',' }, part.id);
    }
    if !ids.is_empty() {
        ids.push(']');
    }
    bulk.row()
        .at(run)
        .number(row.seq().get())
        .number(row.at().as_micros())
        .bytes(row.payload().as_bytes())
        .bytes(ids.as_bytes())
        .hashes(&[row.content_hash(), row.hash()]);
}

fn put_parts(bulk: &mut Bulk, run: Slice, row: &SealedRow) {
    for ((part, hash), place) in row.parts().zip(0..) {
        bulk.row()
            .at(run)
            .number(part.id.get().into())
            .number(row.seq().get())
            .number(place)
            .bytes(part.kind.as_str().as_bytes())
            .bytes(part.name.as_bytes())
            .bytes(&part.bytes)
            .hashes(&[hash]);
    }
}

/// Finds out, in the same transaction, why a run was skipped. Runs that were written have their new state
/// already, so only the skipped ones are checked.
async fn why_refused(
    connection: &mut SqliteConnection,
    starts: &[AppendStart],
    written: &[SqliteRow],
    fence: Fence,
) -> StoreError {
    let written: BTreeSet<&str> = written
        .iter()
        .filter_map(|row| row.try_get(0).ok())
        .collect();
    let was_skipped = |start: &&AppendStart| !written.contains(start.run.as_str());
    for start in starts.iter().filter(was_skipped) {
        if let Err(error) = check_start(connection, start, fence).await {
            return error;
        }
    }
    StoreError::io(
        "writing",
        std::io::Error::other("fewer runs were written than were given"),
    )
}

/// Rows of a new run that are there already are damage to that run alone.
async fn why_not_written(
    connection: &mut SqliteConnection,
    starts: &[AppendStart],
    error: sqlx::Error,
) -> StoreError {
    if !sqlite_error::is_constraint(&error) {
        return writing(error);
    }
    for start in starts.iter().filter(|start| start.creates) {
        let query = sqlx::query_scalar(LEFT_OVER).bind(start.run.as_str());
        if let Ok(true) = query.fetch_one(&mut *connection).await {
            let what = "rows of an earlier run of that name are left, whose line is missing";
            return StoreError::damaged(&start.run, None, what);
        }
    }
    writing(error)
}

async fn check_start(
    connection: &mut SqliteConnection,
    start: &AppendStart,
    fence: Fence,
) -> Result<(), StoreError> {
    let run = &start.run;
    let sql = "SELECT epoch, last_seq, head FROM runs WHERE run = ?1";
    let query = sqlx::query(sql).bind(run.as_str());
    let found = query.fetch_optional(connection).await.map_err(writing)?;
    match (start.creates, found) {
        (true, Some(_)) => Err(StoreError::Exists { run: run.clone() }),
        (true, None) => Ok(()),
        (false, None) => Err(StoreError::NotFound { run: run.clone() }),
        (false, Some(row)) => {
            let theirs = row.try_get::<i64, _>(0).map_err(writing)?.unsigned_abs();
            if theirs != fence.epoch {
                return Err(StoreError::Fenced {
                    run: run.clone(),
                    ours: fence.epoch,
                    theirs,
                });
            }
            let last: i64 = row.try_get(1).map_err(writing)?;
            let head: Vec<u8> = row.try_get(2).map_err(writing)?;
            let head = ChainHash::from_slice(&head).ok_or_else(|| {
                StoreError::damaged(run, None, "the head of its chain is not a hash")
            })?;
            start.check_continues(Seq::new(last.unsigned_abs()), head)
        }
    }
}

/// A number in the type that SQLite stores. Numbers above `i64::MAX` do not occur.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn writing(error: sqlx::Error) -> StoreError {
    sqlite_error::io("writing", error)
}
