//! Connections: one for writing, a pool for reading.

use std::path::Path;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row as _, SqliteConnection};
use zeph_memory::StoreError;

use crate::database_file::with_suffix;
use crate::options::{SqliteOptions, Synchronous};
use crate::sqlite_error;

/// The size to which the write-ahead log is truncated after it was written back: 64 MiB. It may grow beyond
/// that while a reader keeps a transaction open.
const WAL_LIMIT_BYTES: &str = "67108864";

/// The writing connection. The file must exist.
pub(crate) async fn writer(
    path: &Path,
    options: &SqliteOptions,
) -> Result<SqliteConnection, StoreError> {
    base(path, options)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match options.synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
        })
        .pragma("journal_size_limit", WAL_LIMIT_BYTES)
        // What is deleted is not left in the file.
        .pragma("secure_delete", "ON")
        // Without these, macOS reports a write as done that is still in the drive's cache.
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        .connect()
        .await
        .map_err(|error| sqlite_error::opening(path, error))
}

/// Writes the log back into the file and empties it. Returns whether the file is complete by itself: a
/// reader with an open transaction can prevent that.
pub(crate) async fn checkpoint(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    sqlx::query("PRAGMA busy_timeout = 1000")
        .execute(&mut *connection)
        .await?;
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let row = sqlx::query(sql).fetch_one(connection).await?;
    let (busy, frames, written): (i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(busy == 0 || frames == written)
}

/// The reading connections; each is opened when it is first needed.
pub(crate) fn readers(path: &Path, options: &SqliteOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(options.readers)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(base(path, options).read_only(true))
}

/// Connections to a file beside which no file can be created, such as one on a read-only disk. `None` if
/// there is a log beside it, because they would not see its rows.
pub(crate) fn immutable_readers(path: &Path, options: &SqliteOptions) -> Option<SqlitePool> {
    let log = std::fs::metadata(with_suffix(path, "-wal"));
    if log.is_ok_and(|metadata| metadata.len() > 0) {
        return None;
    }
    let connect = base(path, options).read_only(true).immutable(true);
    Some(
        SqlitePoolOptions::new()
            .max_connections(options.readers)
            .connect_lazy_with(connect),
    )
}

fn base(path: &Path, options: &SqliteOptions) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(options.busy_timeout)
        // Damaged pages are detected when they are read, and a foreign schema cannot run functions.
        .pragma("cell_size_check", "ON")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;

    #[tokio::test]
    async fn a_file_on_a_read_only_disk_is_read_unless_a_log_is_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.db");
        let options = SqliteOptions::default();
        let store = SqliteStore::open(&path).await.unwrap();
        zeph_memory::RawGraphStore::claim(&store, "test", zeph_graph::Timestamp::ZERO)
            .await
            .unwrap();
        assert!(immutable_readers(&path, &options).is_none());
        store.close().await.unwrap();
        let readers = immutable_readers(&path, &options).unwrap();
        let mut connection = readers.acquire().await.unwrap();
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM claims")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(epoch, 1);
        assert!(!with_suffix(&path, "-shm").exists());
    }
}
