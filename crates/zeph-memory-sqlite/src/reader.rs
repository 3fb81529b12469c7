//! Queries: each result comes from one snapshot, and a row that is not as written is damage.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use zeph_graph::{ContentId, RunId, Seq, Timestamp};
use zeph_memory::{
    ChainCheck, ChainHash, Content, ContentKind, ListQuery, NewRun, Outline, Request, RequestId,
    RowOutline, RunRow, RunStatus, StoreError, StoredRow, StoredRun, StoredStatus,
};

use crate::append::signed;
use crate::sqlite_error;

/// The number of journal rows that one query reads.
const PAGE: i64 = 4_096;

const RUN: &str = "
SELECT runs.title, runs.created_at, contents.bytes, runs.genesis, runs.updated_at, runs.state, runs.open,
       runs.summary, runs.last_seq, runs.head, runs.status_hash
FROM runs LEFT JOIN contents ON contents.run = runs.run AND contents.content = 0
WHERE runs.run = ?1";

const ROWS: &str = "
SELECT seq, at, payload, content_hash, hash FROM journal
WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";

const OUTLINE: &str = "
SELECT seq, contents, content_hash, hash FROM journal
WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";

const CONTENTS: &str = "
SELECT content, kind, name, bytes, hash FROM contents
WHERE run = ?1 AND content IN (SELECT value FROM json_each(?2)) ORDER BY content, seq, part";

const STORED: &str = "
SELECT DISTINCT content FROM contents WHERE run = ?1 AND content > 0 ORDER BY content";

const GET: &str = "
SELECT run, title, created_at, updated_at, last_seq, state, open, summary, epoch FROM runs
WHERE run = ?1";

const LIST: &str = "
SELECT run, title, created_at, updated_at, last_seq, state, open, summary, epoch FROM runs
WHERE (created_at, run) < (?1, ?2) ORDER BY created_at DESC, run DESC LIMIT ?3";

const LIST_FILTERED: &str = "
SELECT run, title, created_at, updated_at, last_seq, state, open, summary, epoch FROM runs
WHERE open = ?4 AND (created_at, run) < (?1, ?2) ORDER BY created_at DESC, run DESC LIMIT ?3";

/// Reads a run without its contents and verifies its chain.
pub(crate) async fn load(
    connection: &mut SqliteConnection,
    run: &RunId,
) -> Result<StoredRun, StoreError> {
    let damaged = |error| sqlite_error::reading(run, None, error);
    let found = sqlx::query(RUN)
        .bind(run.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(damaged)?;
    let row = found.ok_or_else(|| StoreError::NotFound { run: run.clone() })?;
    let header: Option<Vec<u8>> = row.try_get(2).map_err(damaged)?;
    let header = header.ok_or_else(|| StoreError::damaged(run, None, "its header is missing"))?;
    let new = NewRun {
        run: run.clone(),
        title: row.try_get(0).map_err(damaged)?,
        created_at: time(&row, 1).map_err(damaged)?,
        header: header.into(),
    };
    let mut check = ChainCheck::begin(&new, hash(&row, 3).map_err(damaged)?)?;
    let end = StoredStatus {
        updated_at: time(&row, 4).map_err(damaged)?,
        status: status(&row, 5).map_err(damaged)?,
        last_seq: seq(&row, 8).map_err(damaged)?,
        head: hash(&row, 9).map_err(damaged)?,
        status_hash: hash(&row, 10).map_err(damaged)?,
    };
    let mut rows = Vec::new();
    loop {
        let next = check.next_seq();
        let query = sqlx::query(ROWS)
            .bind(run.as_str())
            .bind(signed(next.get() - 1))
            .bind(PAGE);
        let page = query.fetch_all(&mut *connection).await;
        let page = page.map_err(|error| sqlite_error::reading(run, Some(next), error))?;
        for row in &page {
            rows.push(check_row(run, &mut check, row)?);
        }
        if page.len() < PAGE.unsigned_abs() as usize {
            break;
        }
    }
    Ok(StoredRun {
        status: end.status.clone(),
        updated_at: end.updated_at,
        rows,
        chain: check.finish(&end)?,
        new,
    })
}

fn check_row(
    run: &RunId,
    check: &mut ChainCheck,
    row: &SqliteRow,
) -> Result<StoredRow, StoreError> {
    let expected = check.next_seq();
    let damaged = |error| sqlite_error::reading(run, Some(expected), error);
    let stored = StoredRow {
        seq: seq(row, 0).map_err(damaged)?,
        at: time(row, 1).map_err(damaged)?,
        payload: row.try_get(2).map_err(damaged)?,
    };
    check.row(
        &stored,
        hash(row, 3).map_err(damaged)?,
        hash(row, 4).map_err(damaged)?,
    )?;
    Ok(stored)
}

/// All parts of some contents, verified, in the order asked for.
pub(crate) async fn contents(
    connection: &mut SqliteConnection,
    run: &RunId,
    ids: &[ContentId],
) -> Result<Vec<Content>, StoreError> {
    exists(connection, run).await?;
    let damaged = |error| sqlite_error::reading(run, None, error);
    let list = ids
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let query = sqlx::query(CONTENTS)
        .bind(run.as_str())
        .bind(format!("[{list}]"));
    let mut parts: BTreeMap<ContentId, Vec<Content>> = BTreeMap::new();
    for row in query.fetch_all(connection).await.map_err(damaged)? {
        let id = content_id(row.try_get(0).map_err(damaged)?)
            .ok_or_else(|| StoreError::damaged(run, None, "a content has an impossible number"))?;
        let (content, known) = part(&row, id).map_err(|error| {
            StoreError::damaged(
                run,
                None,
                format!("a part of content {id} cannot be read ({error})"),
            )
        })?;
        if content.hash() != known {
            let what = format!(
                "part {:?} of content {id} is not as it was written",
                content.name
            );
            return Err(StoreError::damaged(run, None, what));
        }
        parts.entry(id).or_default().push(content);
    }
    let missing = ids.iter().find(|id| !parts.contains_key(id));
    if let Some(id) = missing {
        return Err(StoreError::damaged(
            run,
            None,
            format!("content {id} is missing"),
        ));
    }
    Ok(ids
        .iter()
        .filter_map(|id| parts.remove(id))
        .flatten()
        .collect())
}

fn part(row: &SqliteRow, id: ContentId) -> Result<(Content, ChainHash), sqlx::Error> {
    let kind = ContentKind::new(row.try_get::<String, _>(1)?);
    let name: String = row.try_get(2)?;
    Ok((
        Content::named(id, kind, name, row.try_get::<Vec<u8>, _>(3)?),
        hash(row, 4)?,
    ))
}

/// The contents that each row added, and all stored contents.
pub(crate) async fn outline(
    connection: &mut SqliteConnection,
    run: &RunId,
) -> Result<Outline, StoreError> {
    exists(connection, run).await?;
    let mut outline = Outline::default();
    loop {
        let last = outline.rows.last().map_or(0, |row| row.seq.get());
        let here = Some(Seq::new(last + 1));
        let query = sqlx::query(OUTLINE)
            .bind(run.as_str())
            .bind(signed(last))
            .bind(PAGE);
        let page = query.fetch_all(&mut *connection).await;
        let page = page.map_err(|error| sqlite_error::reading(run, here, error))?;
        for row in &page {
            outline.rows.push(outline_row(run, row)?);
        }
        if page.len() < PAGE.unsigned_abs() as usize {
            break;
        }
    }
    let damaged = |error| sqlite_error::reading(run, None, error);
    for row in sqlx::query(STORED)
        .bind(run.as_str())
        .fetch_all(connection)
        .await
        .map_err(damaged)?
    {
        outline
            .stored
            .extend(content_id(row.try_get(0).map_err(damaged)?));
    }
    Ok(outline)
}

fn outline_row(run: &RunId, row: &SqliteRow) -> Result<RowOutline, StoreError> {
    let at = seq(row, 0).map_err(|error| sqlite_error::reading(run, None, error))?;
    let damaged = |error| sqlite_error::reading(run, Some(at), error);
    let ids: Option<String> = row.try_get(1).map_err(damaged)?;
    let contents = ids.as_deref().map_or_else(|| Some(Vec::new()), parse_ids);
    Ok(RowOutline {
        seq: at,
        contents: contents.ok_or_else(|| {
            StoreError::damaged(run, Some(at), "its list of contents cannot be read")
        })?,
        content_hash: hash(row, 2).map_err(damaged)?,
        hash: hash(row, 3).map_err(damaged)?,
    })
}

/// A list of numbers as it was written: `[3,3,4]`.
fn parse_ids(text: &str) -> Option<Vec<ContentId>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner
        .split(',')
        .map(|number| number.parse().ok().and_then(ContentId::new))
        .collect()
}

/// One run as the list shows it.
pub(crate) async fn get(
    connection: &mut SqliteConnection,
    run: &RunId,
) -> Result<RunRow, StoreError> {
    let query = sqlx::query(GET).bind(run.as_str());
    let found = query.fetch_optional(connection).await;
    let found = found.map_err(|error| sqlite_error::reading(run, None, error))?;
    let row = found.ok_or_else(|| StoreError::NotFound { run: run.clone() })?;
    line(&row).ok_or_else(|| StoreError::damaged(run, None, "its line cannot be read"))
}

/// Runs, the newest first.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    query: &ListQuery,
) -> Result<Vec<RunRow>, StoreError> {
    let failed = |error| sqlite_error::io("listing the runs", error);
    // The first page begins behind a name that no run can have.
    let (moment, run) = query
        .before
        .as_ref()
        .map_or((Timestamp::MAX, "~"), |cursor| {
            (cursor.created_at, cursor.run.as_str())
        });
    let sql = if query.open.is_some() {
        LIST_FILTERED
    } else {
        LIST
    };
    let mut statement = sqlx::query(sql)
        .bind(signed(moment.as_micros()))
        .bind(run)
        .bind(i64::from(query.limit));
    if let Some(open) = query.open {
        statement = statement.bind(open);
    }
    let rows = statement.fetch_all(connection).await.map_err(failed)?;
    // Unreadable columns are listed with default values, and only a row without a readable name is skipped.
    // Loading the run reports the damage.
    Ok(rows.iter().filter_map(line).collect())
}

fn line(row: &SqliteRow) -> Option<RunRow> {
    let text = |column| {
        row.try_get::<Vec<u8>, usize>(column)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
    };
    Some(RunRow {
        run: text(0).ok()?.parse().ok()?,
        title: text(1).unwrap_or_default(),
        created_at: time(row, 2).unwrap_or_default(),
        updated_at: time(row, 3).unwrap_or_default(),
        last_seq: seq(row, 4).unwrap_or(Seq::new(0)),
        status: RunStatus {
            state: text(5).unwrap_or_default(),
            open: row.try_get(6).unwrap_or(true),
            summary: text(7).unwrap_or_default(),
        },
        epoch: row.try_get::<i64, _>(8).unwrap_or_default().unsigned_abs(),
    })
}

/// The runs whose names begin with a prefix, by name.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    prefix: &str,
    limit: u32,
) -> Result<Vec<RunId>, StoreError> {
    let failed = |error| sqlite_error::io("searching the runs", error);
    // `~` comes after every character of a name, so this is a range of the primary key.
    let sql = "SELECT run FROM runs WHERE run >= ?1 AND run < ?1 || '~' ORDER BY run LIMIT ?2";
    let query = sqlx::query(sql).bind(prefix).bind(i64::from(limit));
    let rows = query.fetch_all(connection).await.map_err(failed)?;
    let name = |row: &SqliteRow| row.try_get::<String, _>(0).ok()?.parse().ok();
    Ok(rows.iter().filter_map(name).collect())
}

/// The requests to a run, oldest first.
pub(crate) async fn inbox(
    connection: &mut SqliteConnection,
    run: &RunId,
) -> Result<Vec<Request>, StoreError> {
    let failed = |error| sqlite_error::io("reading the inbox", error);
    let sql = "SELECT id, at, body FROM inbox WHERE run = ?1 ORDER BY id";
    let query = sqlx::query(sql).bind(run.as_str());
    let rows = query.fetch_all(connection).await.map_err(failed)?;
    let request = |row: &SqliteRow| -> Result<Request, sqlx::Error> {
        Ok(Request {
            id: RequestId::new(row.try_get::<i64, _>(0)?.unsigned_abs()),
            run: run.clone(),
            at: time(row, 1)?,
            body: row.try_get(2)?,
        })
    };
    let requests = rows.iter().map(request).collect::<Result<_, _>>();
    requests.map_err(failed)
}

async fn exists(connection: &mut SqliteConnection, run: &RunId) -> Result<(), StoreError> {
    let query = sqlx::query("SELECT 1 FROM runs WHERE run = ?1").bind(run.as_str());
    let found = query
        .fetch_optional(connection)
        .await
        .map_err(|error| sqlite_error::reading(run, None, error))?;
    found
        .map(drop)
        .ok_or_else(|| StoreError::NotFound { run: run.clone() })
}

fn seq(row: &SqliteRow, column: usize) -> Result<Seq, sqlx::Error> {
    row.try_get::<i64, _>(column)
        .map(|number| Seq::new(number.unsigned_abs()))
}

fn time(row: &SqliteRow, column: usize) -> Result<Timestamp, sqlx::Error> {
    row.try_get::<i64, _>(column)
        .map(|micros| Timestamp::from_micros(micros.unsigned_abs()))
}

fn status(row: &SqliteRow, column: usize) -> Result<RunStatus, sqlx::Error> {
    Ok(RunStatus {
        state: row.try_get(column)?,
        open: row.try_get(column + 1)?,
        summary: row.try_get(column + 2)?,
    })
}

fn hash(row: &SqliteRow, column: usize) -> Result<ChainHash, sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(column)?;
    ChainHash::from_slice(&bytes)
        .ok_or_else(|| sqlx::Error::Decode("not a hash of 32 bytes".into()))
}

fn content_id(number: i64) -> Option<ContentId> {
    u32::try_from(number).ok().and_then(ContentId::new)
}
