//! The inbox: requests to runs, each checked by its own hash.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use zeph_graph::RunId;
use zeph_memory::{Request, RequestId, StoreError};

use crate::reader::{hash, time};
use crate::sqlite_error;

/// The requests to a run, oldest first.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
    run: &RunId,
) -> Result<Vec<Request>, StoreError> {
    let failed = |error| sqlite_error::io("reading the inbox", error);
    let sql = "SELECT id, at, body, hash FROM inbox WHERE run = ?1 ORDER BY id";
    let query = sqlx::query(sql).bind(run.as_str());
    let rows = query.fetch_all(connection).await.map_err(failed)?;
    let requests = rows.iter().map(|row| request(run, row));
    requests.collect::<Result<_, _>>().map_err(failed)
}

/// A request to a run, without its body if that is not as it was posted.
pub(crate) fn request(run: &RunId, row: &SqliteRow) -> Result<Request, sqlx::Error> {
    let id = RequestId::new(row.try_get::<i64, _>(0)?.cast_unsigned());
    let at = time(row, 1).unwrap_or_default();
    let body: Option<String> = row.try_get(2).ok();
    let known = hash(row, 3).ok();
    let is_sound = |body: &String| Some(Request::hash(id, run, at, body)) == known;
    Ok(Request {
        id,
        run: run.clone(),
        at,
        body: body.filter(is_sound),
    })
}
