//! Drafts: bytes of a run outside of its hash chain, written and removed by the owner's commits.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use zeph_graph::RunId;
use zeph_memory::{Draft, Fence, StoreError};

use crate::append::{signed, writing};
use crate::bulk::Bulk;
use crate::reader::{hash, time};
use crate::sqlite_error;

const PUT: &str = "
INSERT INTO drafts (run, key, at, hash, bytes)
SELECT new.run, new.key, new.at, new.hash, new.bytes
FROM (
    SELECT CAST(substr(?2, value ->> 0, value ->> 1) AS TEXT) AS run,
           CAST(substr(?2, value ->> 2, value ->> 3) AS TEXT) AS key,
           value ->> 4 AS at,
           substr(?2, value ->> 5, value ->> 6) AS bytes,
           substr(?2, value ->> 7, 32) AS hash
    FROM json_each(?1)
) AS new
JOIN runs ON runs.run = new.run AND runs.epoch = ?3
WHERE true
ON CONFLICT (run, key) DO UPDATE SET
    at = excluded.at, hash = excluded.hash, bytes = excluded.bytes";

const REMOVE: &str = "
DELETE FROM drafts WHERE rowid IN (
    SELECT old.rowid
    FROM json_each(?1) AS gone
    JOIN drafts AS old ON old.run = CAST(substr(?2, gone.value ->> 0, gone.value ->> 1) AS TEXT)
                      AND old.key = CAST(substr(?2, gone.value ->> 2, gone.value ->> 3) AS TEXT)
    JOIN runs ON runs.run = old.run AND runs.epoch = ?3)";

/// The parameters of the statements that write and remove drafts.
#[derive(Debug, Default)]
pub(crate) struct DraftStatements {
    written: Bulk,
    removed: Bulk,
}

impl DraftStatements {
    pub(crate) fn new(drafts: &[Draft]) -> Self {
        let mut statements = Self::default();
        for draft in drafts {
            match &draft.bytes {
                Some(bytes) => put(&mut statements.written, draft, bytes),
                None => remove(&mut statements.removed, draft),
            }
        }
        statements
    }

    /// Executes the statements in an open transaction, and returns their number.
    pub(crate) async fn execute(
        self,
        connection: &mut SqliteConnection,
        fence: Fence,
    ) -> Result<u64, StoreError> {
        let mut executed = 0;
        for (sql, bulk) in [(PUT, self.written), (REMOVE, self.removed)] {
            if !bulk.is_empty() {
                let (json, blob) = bulk.finish()?;
                let query = sqlx::query(sql).bind(json).bind(blob);
                let query = query.bind(signed(fence.epoch));
                query.execute(&mut *connection).await.map_err(writing)?;
                executed += 1;
            }
        }
        Ok(executed)
    }
}

fn put(bulk: &mut Bulk, draft: &Draft, bytes: &[u8]) {
    let hash = Draft::hash(&draft.run, &draft.key, draft.at, bytes);
    bulk.row()
        .bytes(draft.run.as_str().as_bytes())
        .bytes(draft.key.as_bytes())
        .number(draft.at.as_micros())
        .bytes(bytes)
        .hashes(&[hash]);
}

fn remove(bulk: &mut Bulk, draft: &Draft) {
    bulk.row()
        .bytes(draft.run.as_str().as_bytes())
        .bytes(draft.key.as_bytes());
}

/// The drafts of a run whose keys begin with a prefix.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
    run: &RunId,
    prefix: &str,
) -> Result<Vec<Draft>, StoreError> {
    let failed = |error| sqlite_error::io("reading the drafts", error);
    // The last character comes after every key that begins with the prefix.
    let sql = "SELECT key, at, bytes, hash FROM drafts
               WHERE run = ?1 AND key >= ?2 AND key < ?2 || char(0x10FFFF) ORDER BY key";
    let query = sqlx::query(sql).bind(run.as_str()).bind(prefix);
    let rows = query.fetch_all(connection).await.map_err(failed)?;
    Ok(rows.iter().map(|row| draft(run, row)).collect())
}

/// A draft, without its bytes if they are not as they were written.
pub(crate) fn draft(run: &RunId, row: &SqliteRow) -> Draft {
    let key: String = row.try_get(0).unwrap_or_default();
    let at = time(row, 1).unwrap_or_default();
    let bytes: Option<Vec<u8>> = row.try_get(2).ok();
    let known = hash(row, 3).ok();
    let is_sound = |bytes: &Vec<u8>| Some(Draft::hash(run, &key, at, bytes)) == known;
    let bytes = bytes.filter(is_sound).map(Into::into);
    Draft {
        run: run.clone(),
        key,
        at,
        bytes,
    }
}
