//! Queries: each result comes from one snapshot, and a row that is not as written is damage.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use zeph_graph::{ContentId, RunId, Seq, Timestamp};
use zeph_memory::{
    Chain, ChainCheck, ChainHash, Content, ContentKind, ListQuery, NewRun, Outline, RowOutline,
    RunRow, RunStatus, StoreError, StoredRow, StoredRun, StoredStatus, StoredTail, contents_hash,
};

use crate::append::signed;
use crate::postgres_error;
use crate::text::given;

/// The number of journal rows that one query reads.
const PAGE: i64 = 4_096;

const RUN: &str = "
SELECT runs.title, runs.created_at, contents.bytes, runs.genesis, runs.updated_at, runs.state, runs.open,
       runs.summary, runs.last_seq, runs.head, runs.status_hash
FROM runs LEFT JOIN contents ON contents.run = runs.run AND contents.content = 0
WHERE runs.run = $1";

const ROWS: &str = "
SELECT seq, at, payload, content_hash, hash FROM journal
WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3";

const OUTLINE: &str = "
SELECT seq, contents, content_hash, hash FROM journal
WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3";

const CONTENTS: &str = "
SELECT content, kind, name, bytes, hash, seq, part FROM contents
WHERE run = $1 AND content = ANY ($2) ORDER BY content, seq, part";

/// The hashes of all parts of some rows, to compare with the hash in the row. A content without its row has
/// no line here.
const PART_HASHES: &str = "
SELECT journal.seq, journal.content_hash, contents.hash
FROM journal JOIN contents
     ON contents.run = journal.run AND contents.seq = journal.seq AND contents.content = ANY (journal.contents)
WHERE journal.run = $1 AND journal.seq = ANY ($2)
ORDER BY journal.seq, contents.part";

const STORED: &str = "
SELECT DISTINCT content FROM contents WHERE run = $1 AND content > 0 ORDER BY content";

/// The columns of a line.
macro_rules! line {
    ($rest:literal) => {
        concat!(
            "SELECT run, title, created_at, updated_at, last_seq, state, open, summary, epoch, head, status_hash
             FROM runs ",
            $rest
        )
    };
}

const GET: &str = line!("WHERE run = $1");

const LIST: &str =
    line!("WHERE (created_at, run) < ($1, $2) ORDER BY created_at DESC, run DESC LIMIT $3");

const LIST_FILTERED: &str = line!(
    "WHERE open = $4 AND (created_at, run) < ($1, $2) ORDER BY created_at DESC, run DESC LIMIT $3"
);

/// Reads a run without its contents and verifies its chain.
pub(crate) async fn load(
    connection: &mut PgConnection,
    run: &RunId,
) -> Result<StoredRun, StoreError> {
    let damaged = |error| postgres_error::reading(run, None, error);
    let query = sqlx::query(RUN).bind(run.as_str());
    let found = query
        .fetch_optional(&mut *connection)
        .await
        .map_err(damaged)?;
    let row = found.ok_or_else(|| StoreError::NotFound { run: run.clone() })?;
    let header: Option<Vec<u8>> = row.try_get(2).map_err(damaged)?;
    let header = header.ok_or_else(|| StoreError::damaged(run, None, "its header is missing"))?;
    let new = NewRun {
        run: run.clone(),
        title: text(&row, 0).map_err(damaged)?,
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
    let rows = read_rows(connection, run, &mut check).await?;
    Ok(StoredRun {
        status: end.status.clone(),
        updated_at: end.updated_at,
        rows,
        chain: check.finish(&end)?,
        new,
    })
}

/// Reads the rows that follow a chain, and verifies that they continue it.
pub(crate) async fn load_after(
    connection: &mut PgConnection,
    chain: &Chain,
) -> Result<StoredTail, StoreError> {
    let run = chain.run();
    let damaged = |error| postgres_error::reading(run, None, error);
    let query = sqlx::query(GET).bind(run.as_str());
    let found = query.fetch_optional(&mut *connection).await;
    let line = found.map_err(damaged)?;
    let line = line.ok_or_else(|| StoreError::NotFound { run: run.clone() })?;
    let end = line_end(&line).map_err(damaged)?;
    let mut check = ChainCheck::after(chain.clone());
    let rows = read_rows(connection, run, &mut check).await?;
    Ok(StoredTail {
        status: end.status.clone(),
        updated_at: end.updated_at,
        rows,
        chain: check.finish(&end)?,
    })
}

/// Reads and checks the rows from the place of the check on.
async fn read_rows(
    connection: &mut PgConnection,
    run: &RunId,
    check: &mut ChainCheck,
) -> Result<Vec<StoredRow>, StoreError> {
    let mut rows = Vec::new();
    loop {
        let next = check.next_seq();
        let query = sqlx::query(ROWS)
            .bind(run.as_str())
            .bind(signed(next.get() - 1))
            .bind(PAGE);
        let page = query.fetch_all(&mut *connection).await;
        let page = page.map_err(|error| postgres_error::reading(run, Some(next), error))?;
        for row in &page {
            rows.push(check_row(run, check, row)?);
        }
        if page.len() < PAGE.unsigned_abs() as usize {
            return Ok(rows);
        }
    }
}

fn check_row(run: &RunId, check: &mut ChainCheck, row: &PgRow) -> Result<StoredRow, StoreError> {
    let expected = check.next_seq();
    let damaged = |error| postgres_error::reading(run, Some(expected), error);
    let stored = StoredRow {
        seq: seq(row, 0).map_err(damaged)?,
        at: time(row, 1).map_err(damaged)?,
        payload: text(row, 2).map_err(damaged)?,
    };
    let (content_hash, own) = (
        hash(row, 3).map_err(damaged)?,
        hash(row, 4).map_err(damaged)?,
    );
    check.row(&stored, content_hash, own)?;
    Ok(stored)
}

/// All parts of some contents, verified, in the order asked for.
pub(crate) async fn contents(
    connection: &mut PgConnection,
    run: &RunId,
    ids: &[ContentId],
) -> Result<Vec<Content>, StoreError> {
    exists(connection, run).await?;
    let damaged = |error| postgres_error::reading(run, None, error);
    let numbers: Vec<i64> = ids.iter().map(|id| i64::from(id.get())).collect();
    let query = sqlx::query(CONTENTS).bind(run.as_str()).bind(numbers);
    let mut parts: BTreeMap<ContentId, Vec<Content>> = BTreeMap::new();
    let mut seqs = BTreeSet::new();
    for row in query.fetch_all(&mut *connection).await.map_err(damaged)? {
        let id = content_id(row.try_get(0).map_err(damaged)?)
            .ok_or_else(|| StoreError::damaged(run, None, "a content has an impossible number"))?;
        let (content, known, place) = part(&row, id).map_err(|error| {
            let what = format!("a part of content {id} cannot be read ({error})");
            StoreError::damaged(run, None, what)
        })?;
        seqs.insert(signed(place.0.get()));
        if content.hash(run, place.0, place.1) != known {
            let name = &content.name;
            let what = format!("part {name:?} of content {id} is not as it was written");
            return Err(StoreError::damaged(run, None, what));
        }
        parts.entry(id).or_default().push(content);
    }
    if let Some(id) = ids.iter().find(|id| !parts.contains_key(id)) {
        return Err(StoreError::damaged(
            run,
            None,
            format!("content {id} is missing"),
        ));
    }
    check_rows_of_parts(connection, run, &seqs).await?;
    Ok(ids
        .iter()
        .filter_map(|id| parts.remove(id))
        .flatten()
        .collect())
}

/// Checks that each of these rows has exactly the parts that it brought.
async fn check_rows_of_parts(
    connection: &mut PgConnection,
    run: &RunId,
    seqs: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    let damaged = |error| postgres_error::reading(run, None, error);
    let query = sqlx::query(PART_HASHES)
        .bind(run.as_str())
        .bind(seqs.iter().copied().collect::<Vec<_>>());
    let mut found: BTreeMap<i64, (ChainHash, Vec<ChainHash>)> = BTreeMap::new();
    for row in query.fetch_all(connection).await.map_err(damaged)? {
        let known = hash(&row, 1).map_err(damaged)?;
        let at = row.try_get(0).map_err(damaged)?;
        let (_, parts) = found.entry(at).or_insert((known, Vec::new()));
        parts.push(hash(&row, 2).map_err(damaged)?);
    }
    for at in seqs {
        let is_whole = (found.get(at)).is_some_and(|(known, parts)| contents_hash(parts) == *known);
        if !is_whole {
            let what = "its contents are not as they were written";
            return Err(StoreError::damaged(
                run,
                Some(Seq::new(at.cast_unsigned())),
                what,
            ));
        }
    }
    Ok(())
}

type Part = (Content, ChainHash, (Seq, u64));

fn part(row: &PgRow, id: ContentId) -> Result<Part, sqlx::Error> {
    let (kind, name) = (ContentKind::new(text(row, 1)?), text(row, 2)?);
    Ok((
        Content::named(id, kind, name, row.try_get::<Vec<u8>, _>(3)?),
        hash(row, 4)?,
        (seq(row, 5)?, row.try_get::<i64, _>(6)?.cast_unsigned()),
    ))
}

/// The contents that each row added, and all stored contents.
pub(crate) async fn outline(
    connection: &mut PgConnection,
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
        let page = page.map_err(|error| postgres_error::reading(run, here, error))?;
        for row in &page {
            outline.rows.push(outline_row(run, row)?);
        }
        if page.len() < PAGE.unsigned_abs() as usize {
            break;
        }
    }
    let damaged = |error| postgres_error::reading(run, None, error);
    let query = sqlx::query_scalar::<_, i64>(STORED).bind(run.as_str());
    let stored = query.fetch_all(connection).await.map_err(damaged)?;
    outline
        .stored
        .extend(stored.into_iter().filter_map(content_id));
    Ok(outline)
}

fn outline_row(run: &RunId, row: &PgRow) -> Result<RowOutline, StoreError> {
    let at = seq(row, 0).map_err(|error| postgres_error::reading(run, None, error))?;
    let damaged = |error| postgres_error::reading(run, Some(at), error);
    let ids: Option<Vec<i64>> = row.try_get(1).map_err(damaged)?;
    let contents: Option<Vec<ContentId>> = ids
        .unwrap_or_default()
        .into_iter()
        .map(content_id)
        .collect();
    Ok(RowOutline {
        seq: at,
        contents: contents.ok_or_else(|| {
            StoreError::damaged(run, Some(at), "its list of contents cannot be read")
        })?,
        content_hash: hash(row, 2).map_err(damaged)?,
        hash: hash(row, 3).map_err(damaged)?,
    })
}

/// One run as the list shows it.
pub(crate) async fn get(connection: &mut PgConnection, run: &RunId) -> Result<RunRow, StoreError> {
    let query = sqlx::query(GET).bind(run.as_str());
    let found = query.fetch_optional(connection).await;
    let found = found.map_err(|error| postgres_error::reading(run, None, error))?;
    let row = found.ok_or_else(|| StoreError::NotFound { run: run.clone() })?;
    line(&row).ok_or_else(|| StoreError::damaged(run, None, "its line cannot be read"))
}

/// Runs, the newest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    query: &ListQuery,
) -> Result<Vec<RunRow>, StoreError> {
    // The first page begins behind a name that no run can have.
    let (moment, run) = query.before.as_ref().map_or((i64::MAX, "~"), |cursor| {
        (signed(cursor.created_at.as_micros()), cursor.run.as_str())
    });
    let sql = if query.open.is_some() {
        LIST_FILTERED
    } else {
        LIST
    };
    let statement = sqlx::query(sql)
        .bind(moment)
        .bind(run)
        .bind(i64::from(query.limit));
    let statement = match query.open {
        Some(open) => statement.bind(open),
        None => statement,
    };
    let rows = statement.fetch_all(connection).await;
    let rows = rows.map_err(|error| postgres_error::io("listing the runs", error))?;
    // Only a row without a readable name is skipped.
    Ok(rows.iter().filter_map(line).collect())
}

fn line(row: &PgRow) -> Option<RunRow> {
    let run: RunId = row.try_get::<&str, _>(0).ok()?.parse().ok()?;
    let title = text(row, 1).unwrap_or_default();
    let created_at = time(row, 2).unwrap_or_default();
    let end = line_end(row);
    let is_sound = |end: &StoredStatus| end.is_line_as_written(&run, &title, created_at);
    let is_damaged = !end.as_ref().is_ok_and(is_sound);
    let (updated_at, last_seq, status) = match end {
        Ok(end) => (end.updated_at, end.last_seq, end.status),
        Err(_) => (created_at, Seq::new(0), RunStatus::open("")),
    };
    Some(RunRow {
        run,
        title,
        created_at,
        updated_at,
        last_seq,
        status,
        epoch: row.try_get::<i64, _>(8).unwrap_or_default().cast_unsigned(),
        is_damaged,
    })
}

fn line_end(row: &PgRow) -> Result<StoredStatus, sqlx::Error> {
    Ok(StoredStatus {
        updated_at: time(row, 3)?,
        last_seq: seq(row, 4)?,
        status: status(row, 5)?,
        head: hash(row, 9)?,
        status_hash: hash(row, 10)?,
    })
}

/// The runs whose names begin with a prefix, by name.
pub(crate) async fn find(
    connection: &mut PgConnection,
    prefix: &str,
    limit: u32,
) -> Result<Vec<RunId>, StoreError> {
    // `~` comes after every character of a name, so this is a range of the primary key.
    let sql = "SELECT run FROM runs WHERE run >= $1 AND run < $2 ORDER BY run LIMIT $3";
    let query = sqlx::query_scalar::<_, String>(sql)
        .bind(prefix)
        .bind(format!("{prefix}~"))
        .bind(i64::from(limit));
    let names = query.fetch_all(connection).await;
    let names = names.map_err(|error| postgres_error::io("searching the runs", error))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

async fn exists(connection: &mut PgConnection, run: &RunId) -> Result<(), StoreError> {
    let query = sqlx::query("SELECT 1 FROM runs WHERE run = $1").bind(run.as_str());
    let found = query.fetch_optional(connection).await;
    let found = found.map_err(|error| postgres_error::reading(run, None, error))?;
    found
        .map(drop)
        .ok_or_else(|| StoreError::NotFound { run: run.clone() })
}

fn text(row: &PgRow, column: usize) -> Result<String, sqlx::Error> {
    row.try_get(column).map(given)
}

fn seq(row: &PgRow, column: usize) -> Result<Seq, sqlx::Error> {
    row.try_get::<i64, _>(column)
        .map(|number| Seq::new(number.cast_unsigned()))
}

pub(crate) fn time(row: &PgRow, column: usize) -> Result<Timestamp, sqlx::Error> {
    row.try_get::<i64, _>(column)
        .and_then(|micros| u64::try_from(micros).map_err(|_| decoded("a time before 1970")))
        .map(Timestamp::from_micros)
}

fn status(row: &PgRow, column: usize) -> Result<RunStatus, sqlx::Error> {
    Ok(RunStatus {
        state: text(row, column)?,
        open: row.try_get(column + 1)?,
        summary: text(row, column + 2)?,
    })
}

pub(crate) fn hash(row: &PgRow, column: usize) -> Result<ChainHash, sqlx::Error> {
    ChainHash::from_slice(row.try_get(column)?).ok_or_else(|| decoded("not a hash of 32 bytes"))
}

fn decoded(why: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(why.into())
}

fn content_id(number: i64) -> Option<ContentId> {
    u32::try_from(number).ok().and_then(ContentId::new)
}
