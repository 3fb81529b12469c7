//! Keyed results: references to contents, written by the owner's commits.

use sqlx::{Row, SqliteConnection};
use zeph_graph::ContentId;
use zeph_memory::{Fence, KeyedResult, ResultKey, StoreError};

use crate::append::{signed, writing};
use crate::bulk::Bulk;
use crate::sqlite_error;

const PUT: &str = "
INSERT INTO results (key, run, content)
SELECT new.key, new.run, new.content
FROM (
    SELECT substr(?2, value ->> 0, value ->> 1) AS key,
           CAST(substr(?2, value ->> 2, value ->> 3) AS TEXT) AS run,
           value ->> 4 AS content
    FROM json_each(?1)
) AS new
JOIN runs ON runs.run = new.run AND runs.epoch = ?3
WHERE true
ON CONFLICT (key) DO UPDATE SET run = excluded.run, content = excluded.content";

/// The parameters of the statement that writes results.
pub(crate) fn parameters(results: &[KeyedResult]) -> Bulk {
    let mut bulk = Bulk::default();
    for result in results {
        bulk.row()
            .bytes(&result.key)
            .bytes(result.run.as_str().as_bytes())
            .number(result.content.get().into());
    }
    bulk
}

/// Writes results in an open transaction, and returns the number of statements.
pub(crate) async fn write(
    connection: &mut SqliteConnection,
    bulk: Bulk,
    fence: Fence,
) -> Result<u64, StoreError> {
    if bulk.is_empty() {
        return Ok(0);
    }
    let (json, blob) = bulk.finish()?;
    let query = sqlx::query(PUT).bind(json).bind(blob);
    let query = query.bind(signed(fence.epoch));
    query.execute(connection).await.map_err(writing)?;
    Ok(1)
}

/// The result of a key. One that is not as it was written is none.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
    key: &ResultKey,
) -> Result<Option<KeyedResult>, StoreError> {
    let failed = |error| sqlite_error::io("reading a result", error);
    let query = sqlx::query("SELECT run, content FROM results WHERE key = ?1").bind(&key[..]);
    let row = query.fetch_optional(connection).await.map_err(failed)?;
    Ok(row.and_then(|row| {
        let run: String = row.try_get(0).ok()?;
        let content: i64 = row.try_get(1).ok()?;
        Some(KeyedResult {
            key: *key,
            run: run.parse().ok()?,
            content: ContentId::new(u32::try_from(content).ok()?)?,
        })
    }))
}
