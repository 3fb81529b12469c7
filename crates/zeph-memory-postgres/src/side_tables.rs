//! Reads what is beside the journals: requests, drafts, and results by their keys.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use zeph_graph::{ContentId, RunId};
use zeph_memory::{Draft, KeyedResult, Request, RequestId, ResultKey, StoreError};

use crate::postgres_error;
use crate::reader::{hash, time};
use crate::text::{given, stored};

/// The requests to a run, oldest first.
pub(crate) async fn inbox(
    connection: &mut PgConnection,
    run: &RunId,
) -> Result<Vec<Request>, StoreError> {
    let sql = "SELECT id, at, body, hash FROM inbox WHERE run = $1 ORDER BY id";
    let rows = sqlx::query(sql)
        .bind(run.as_str())
        .fetch_all(connection)
        .await;
    let rows = rows.map_err(|error| postgres_error::io("reading the inbox", error))?;
    Ok(rows.iter().map(|row| request(run, row)).collect())
}

/// A request, without its body if it is not as it was posted.
fn request(run: &RunId, row: &PgRow) -> Request {
    let id = RequestId::new(row.try_get::<i64, _>(0).unwrap_or_default().cast_unsigned());
    let at = time(row, 1).unwrap_or_default();
    let known = hash(row, 3).ok();
    let is_sound = |body: &String| Some(Request::hash(id, run, at, body)) == known;
    let body = row.try_get(2).ok().map(given).filter(is_sound);
    Request {
        id,
        run: run.clone(),
        at,
        body,
    }
}

/// The drafts of a run whose keys begin with a prefix.
pub(crate) async fn drafts(
    connection: &mut PgConnection,
    run: &RunId,
    prefix: &str,
) -> Result<Vec<Draft>, StoreError> {
    let sql = "SELECT key, at, bytes, hash FROM drafts WHERE run = $1 AND starts_with(key, $2)";
    let query = sqlx::query(sql).bind(run.as_str()).bind(stored(prefix));
    let rows = query.fetch_all(connection).await;
    let rows = rows.map_err(|error| postgres_error::io("reading the drafts", error))?;
    let mut drafts: Vec<Draft> = rows.iter().map(|row| draft(run, row)).collect();
    drafts.sort_by(|one, two| one.key.cmp(&two.key));
    Ok(drafts)
}

/// A draft, without its bytes if they are not as they were written.
fn draft(run: &RunId, row: &PgRow) -> Draft {
    let key = row.try_get(0).map(given).unwrap_or_default();
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

/// The result of a key. One that is not as it was written is none.
pub(crate) async fn result(
    connection: &mut PgConnection,
    key: &ResultKey,
) -> Result<Option<KeyedResult>, StoreError> {
    let query = sqlx::query("SELECT run, content FROM results WHERE key = $1").bind(&key[..]);
    let row = query.fetch_optional(connection).await;
    let row = row.map_err(|error| postgres_error::io("reading a result", error))?;
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
