//! The one connection that writes: atomic transactions, and none after a write with an unknown outcome.

use std::collections::BTreeMap;

use sqlx::{Connection as _, Row, SqliteConnection};
use zeph_graph::{RunId, Timestamp};
use zeph_memory::{Fence, Request, RequestId, StoreError};

use crate::append::{Executed, Statements, signed};
use crate::database_file::{DatabaseFile, with_suffix};
use crate::last_commit::{LastCommit, Saved};
use crate::sqlite_error;
use crate::{connect, create};

/// The number of owners without a run that are kept for people.
const CLAIMS_KEPT: i64 = 100;

const PRUNE_CLAIMS: &str =
    "DELETE FROM claims WHERE epoch < ?1 AND epoch NOT IN (SELECT epoch FROM runs)";

/// Free space is given back from that size on, if it is that part of the file.
const SHRINK_BYTES: u64 = 1 << 20;
const SHRINK_PART: u64 = 4;

/// The connection that writes. Its methods must run to their end; [`SqliteStore`](crate::SqliteStore)
/// ensures that.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: SqliteConnection,
    file: DatabaseFile,
    /// The first write failure with an unknown outcome.
    broken: Option<String>,
    /// `None` if a commit may be acknowledged before it is on the disk.
    last: Option<LastCommit>,
    /// Whether a transaction is open. It stays set when a runtime is shut down within one.
    in_transaction: bool,
}

impl Writer {
    pub(crate) fn new(
        connection: SqliteConnection,
        file: DatabaseFile,
        last: Option<LastCommit>,
    ) -> Self {
        Self {
            connection,
            file,
            broken: None,
            last,
            in_transaction: false,
        }
    }

    /// Writes a commit; returns the number of statements.
    pub(crate) async fn commit(
        &mut self,
        statements: Statements,
        fence: Fence,
    ) -> Result<u64, StoreError> {
        self.begin().await?;
        let result = statements.execute(&mut self.connection, fence).await;
        let saved = |done: &Executed| done.saved.clone();
        let done = self.end_with(result, saved).await?;
        Ok(done.statements)
    }

    pub(crate) async fn claim(&mut self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        self.begin().await?;
        let sql = "INSERT INTO claims (name, since) VALUES (?1, ?2)";
        let query = sqlx::query(sql).bind(owner).bind(signed(at.as_micros()));
        let mut result = query.execute(&mut self.connection).await;
        if let Ok(claimed) = &result
            && claimed.last_insert_rowid() % CLAIMS_KEPT == 0
        {
            let pruned = sqlx::query(PRUNE_CLAIMS).bind(claimed.last_insert_rowid() - CLAIMS_KEPT);
            result = (pruned.execute(&mut self.connection).await).and(result);
        }
        let result = result.map(|done| Fence {
            epoch: done.last_insert_rowid().unsigned_abs(),
        });
        self.end(result.map_err(writing)).await
    }

    pub(crate) async fn adopt(
        &mut self,
        run: &RunId,
        former: u64,
        fence: Fence,
    ) -> Result<(), StoreError> {
        self.begin().await?;
        let result = adopt(&mut self.connection, run, former, fence).await;
        self.end(result).await
    }

    pub(crate) async fn post(
        &mut self,
        run: &RunId,
        at: Timestamp,
        body: &str,
    ) -> Result<RequestId, StoreError> {
        self.begin().await?;
        let result = post(&mut self.connection, run, at, body).await;
        self.end_with(result, |id| Some(Saved::Request(*id))).await
    }

    pub(crate) async fn delete(&mut self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        self.begin().await?;
        let result = delete_runs(&mut self.connection, runs).await;
        let saved = |(deleted, id): &(Vec<RunId>, RequestId)| {
            let last = deleted.last()?;
            Some(Saved::Deleted(last.clone(), *id))
        };
        let (deleted, _) = self.end_with(result, saved).await?;
        Ok(deleted)
    }

    /// Rewrites the file without its free pages, if they are many; returns the bytes that it needs less.
    pub(crate) async fn shrink(&mut self) -> Result<u64, StoreError> {
        self.check_ready().await?;
        let pages = self.number("PRAGMA page_count").await?;
        let free = self.number("PRAGMA freelist_count").await?;
        let page_bytes = self.number("PRAGMA page_size").await?;
        if free * page_bytes < SHRINK_BYTES || free < pages / SHRINK_PART {
            return Ok(0);
        }
        let rewritten = sqlx::query("VACUUM").execute(&mut self.connection).await;
        let rewritten = rewritten.map_err(|error| sqlite_error::io("giving space back", error));
        self.note(rewritten)?;
        let left = self.number("PRAGMA page_count").await?;
        Ok(pages.saturating_sub(left) * page_bytes)
    }

    async fn number(&mut self, sql: &'static str) -> Result<u64, StoreError> {
        let number: Result<i64, _> = sqlx::query_scalar(sql)
            .fetch_one(&mut self.connection)
            .await;
        number.map(i64::unsigned_abs).map_err(writing)
    }

    /// Writes the log back and closes the connection.
    pub(crate) async fn close(mut self) -> Result<(), StoreError> {
        let is_whole = match self.broken {
            None => connect::checkpoint(&mut self.connection).await,
            // The state of the log is unknown.
            Some(_) => Ok(false),
        };
        let closed = self.connection.close().await;
        let is_whole = is_whole.map_err(|error| sqlite_error::io("writing the log back", error))?;
        closed.map_err(|error| sqlite_error::io("closing the database", error))?;
        if let Some(mut last) = self.last.filter(|_| is_whole) {
            last.clear(!with_suffix(self.file.path(), "-wal").exists());
        }
        Ok(())
    }

    /// Fails after a write with an unknown outcome, and ends a transaction that was left open.
    async fn check_ready(&mut self) -> Result<(), StoreError> {
        if let Some(what) = &self.broken {
            return Err(StoreError::Broken { what: what.clone() });
        }
        self.file.check()?;
        if self.in_transaction {
            self.rollback().await;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.check_ready().await?;
        // Set before the reply arrives: it may never arrive when the runtime is shut down.
        self.in_transaction = true;
        let begun = sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut self.connection)
            .await;
        self.in_transaction = begun.is_ok();
        let begun = begun.map(drop).map_err(writing);
        self.note(begun)
    }

    /// Ends a transaction, and notes what it saved.
    async fn end_with<T>(
        &mut self,
        result: Result<T, StoreError>,
        saved: impl FnOnce(&T) -> Option<Saved>,
    ) -> Result<T, StoreError> {
        let ended = self.end(result).await?;
        if let (Some(saved), Some(last)) = (saved(&ended), &mut self.last) {
            last.write(&saved);
        }
        Ok(ended)
    }

    /// Commits a successful transaction and rolls back a failed one.
    async fn end<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let result = match result {
            Ok(value) => {
                let done = sqlx::query("COMMIT").execute(&mut self.connection).await;
                done.map(|_| value)
                    .map_err(|error| sqlite_error::io("committing", error))
            }
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.rollback().await;
        }
        self.in_transaction = false;
        self.note(result)
    }

    async fn rollback(&mut self) {
        // SQLite itself rolls back after some errors, so this may fail. If the transaction is still
        // open afterwards, the next one fails to begin.
        sqlx::query("ROLLBACK")
            .execute(&mut self.connection)
            .await
            .ok();
        self.in_transaction = false;
    }

    /// After a failed write or sync the state of the disk is unknown. A second try could succeed without
    /// the first data being on the disk, so all later writes are refused.
    fn note<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let Err(error @ StoreError::Io { .. }) = result else {
            return result;
        };
        let error = create::full_or(self.file.path(), error);
        self.broken = Some(error.to_string());
        Err(error)
    }
}

/// Adds a request. Its hash covers its number, which is therefore chosen here.
async fn post(
    connection: &mut SqliteConnection,
    run: &RunId,
    at: Timestamp,
    body: &str,
) -> Result<RequestId, StoreError> {
    let sql = "SELECT max(seq) + 1 FROM (SELECT 0 AS seq UNION SELECT seq FROM sqlite_sequence WHERE name = 'inbox')";
    let next: i64 = sqlx::query_scalar(sql)
        .fetch_one(&mut *connection)
        .await
        .map_err(writing)?;
    let id = RequestId::new(next.unsigned_abs());
    let sql = "
        INSERT INTO inbox (id, run, at, body, hash) SELECT ?1, run, ?3, ?4, ?5 FROM runs WHERE run = ?2";
    let query = sqlx::query(sql)
        .bind(next)
        .bind(run.as_str())
        .bind(signed(at.as_micros()))
        .bind(body)
        .bind(Request::hash(id, run, at, body).as_bytes().to_vec());
    let done = query.execute(connection).await.map_err(writing)?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound { run: run.clone() });
    }
    Ok(id)
}

/// Makes the fence's epoch the owner of a run that the epoch `former` owns.
async fn adopt(
    connection: &mut SqliteConnection,
    run: &RunId,
    former: u64,
    fence: Fence,
) -> Result<(), StoreError> {
    let owner = sqlx::query_scalar::<_, i64>("SELECT epoch FROM runs WHERE run = ?1")
        .bind(run.as_str())
        .fetch_optional(&mut *connection)
        .await;
    let Some(owner) = owner.map_err(writing)? else {
        return Err(StoreError::NotFound { run: run.clone() });
    };
    let theirs = owner.unsigned_abs();
    if theirs != former && theirs != fence.epoch {
        return Err(StoreError::Fenced {
            run: run.clone(),
            ours: fence.epoch,
            theirs,
        });
    }
    let query = sqlx::query("UPDATE runs SET epoch = ?2 WHERE run = ?1")
        .bind(run.as_str())
        .bind(signed(fence.epoch));
    query.execute(connection).await.map(drop).map_err(writing)
}

/// The runs of a list that are there, and whether they are open.
const FIND_ALL: &str = "SELECT run, open FROM runs WHERE run IN (SELECT value FROM json_each(?1))";

/// The statements that delete the runs of a list.
const DELETE_ALL: [&str; 6] = [
    "DELETE FROM contents WHERE run IN (SELECT value FROM json_each(?1))",
    "DELETE FROM journal WHERE run IN (SELECT value FROM json_each(?1))",
    "DELETE FROM inbox WHERE run IN (SELECT value FROM json_each(?1))",
    "DELETE FROM drafts WHERE run IN (SELECT value FROM json_each(?1))",
    "DELETE FROM results WHERE run IN (SELECT value FROM json_each(?1))",
    "DELETE FROM runs WHERE run IN (SELECT value FROM json_each(?1))",
];

/// Deletes runs; returns those that were there. The deletion takes a number of the inbox, which it returns.
async fn delete_runs(
    connection: &mut SqliteConnection,
    runs: &[RunId],
) -> Result<(Vec<RunId>, RequestId), StoreError> {
    let query = sqlx::query(FIND_ALL).bind(list(runs));
    let found = query.fetch_all(&mut *connection).await.map_err(writing)?;
    let mut is_open: BTreeMap<String, bool> = BTreeMap::new();
    for row in found {
        let name = row.try_get(0).map_err(writing)?;
        is_open.insert(name, row.try_get(1).map_err(writing)?);
    }
    let mut deleted: Vec<RunId> = Vec::with_capacity(is_open.len());
    for run in runs {
        match is_open.remove(run.as_str()) {
            Some(true) => return Err(StoreError::Open { run: run.clone() }),
            Some(false) => deleted.push(run.clone()),
            None => {}
        }
    }
    let Some(last) = deleted.last() else {
        return Ok((deleted, RequestId::new(0)));
    };
    let sql = "INSERT INTO inbox (run, at, body, hash) VALUES (?1, 0, '', x'')";
    let number = sqlx::query(sql)
        .bind(last.as_str())
        .execute(&mut *connection)
        .await
        .map_err(writing)?;
    let number = RequestId::new(number.last_insert_rowid().unsigned_abs());
    let list = list(&deleted);
    for sql in DELETE_ALL {
        let query = sqlx::query(sql).bind(&*list);
        query.execute(&mut *connection).await.map_err(writing)?;
    }
    Ok((deleted, number))
}

/// The names as JSON. They have no characters that JSON escapes.
fn list(runs: &[RunId]) -> String {
    let names: Vec<&str> = runs.iter().map(RunId::as_str).collect();
    format!("[\"{}\"]", names.join("\",\""))
}

fn writing(error: sqlx::Error) -> StoreError {
    sqlite_error::io("writing", error)
}

#[cfg(test)]
mod tests {
    use zeph_memory::{Chain, Commit, Content, ContentKind, NewRun, Row, RunStatus};

    use super::*;
    use crate::SqliteStore;

    async fn limit_pages(writer: &mut Writer, pages: i64) {
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(sql)
            .execute(&mut writer.connection)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_rolls_back_and_the_commit_can_be_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("runs.db"))
            .await
            .unwrap();
        let mut writer = store.take_writer().await.unwrap();
        let fence = writer.claim("test", Timestamp::ZERO).await.unwrap();
        let new = NewRun::new("full".parse().unwrap(), "", Timestamp::ZERO, "{}");
        let big = Content::new(
            zeph_graph::ContentId::FIRST,
            ContentKind::LOG,
            vec![7; 1 << 20],
        );
        let row = Row::new(Timestamp::ZERO, "{}").with(big);
        let append = Chain::genesis(&new)
            .seal(vec![row], RunStatus::open("running"))
            .creating(new);
        let commit = Commit::one(append);
        limit_pages(&mut writer, 100).await;
        for _ in 0..2 {
            let statements = Statements::new(&commit).unwrap();
            let error = writer.commit(statements, fence).await.unwrap_err();
            assert!(matches!(error, StoreError::Full { .. }), "{error}");
        }
        limit_pages(&mut writer, 1_000_000).await;
        let statements = Statements::new(&commit).unwrap();
        assert_eq!(
            writer.commit(statements, fence).await.unwrap(),
            3,
            "the failures left nothing behind"
        );
    }

    #[tokio::test]
    async fn a_transaction_that_was_left_open_is_rolled_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("runs.db"))
            .await
            .unwrap();
        let mut writer = store.take_writer().await.unwrap();
        writer.begin().await.unwrap();
        sqlx::query("INSERT INTO claims (name, since) VALUES ('torn', 0)")
            .execute(&mut writer.connection)
            .await
            .unwrap();
        // As if the runtime had been shut down here: the next call finds the transaction open.
        let fence = writer.claim("test", Timestamp::ZERO).await.unwrap();
        assert_eq!(fence, Fence { epoch: 1 });
    }
}
