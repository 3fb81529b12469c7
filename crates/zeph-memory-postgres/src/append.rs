//! A commit as two statements: one that locks its runs, which are checked then, and one that writes all of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sqlx::postgres::{PgDatabaseError, PgRow};
use sqlx::{PgConnection, Row};
use zeph_graph::{RunId, Seq};
use zeph_memory::{Append, ChainHash, Commit, Draft, Fence, KeyedResult, SealedRow, StoreError};

use crate::postgres_error::{self, MAX_BYTES, is_duplicate};
use crate::text::stored;

const LOCK: &str = include_str!("sql/lock.sql");
const WRITE: &str = include_str!("sql/write.sql");

/// The kind and the content number of the header of a run.
const HEADER: (&str, i64) = ("header", 0);

/// Why a commit was not written, in an open transaction that must be rolled back.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The port says so.
    Store(StoreError),
    /// The server did.
    Server(sqlx::Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Server(error)
    }
}

/// Checks whether the commit is small enough.
pub(crate) fn check_size(commit: &Commit) -> Result<(), StoreError> {
    let appends = commit.appends.iter().map(append_bytes);
    let drafts = (commit.drafts.iter())
        .map(|draft| draft.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64));
    let bytes: u64 = appends.chain(drafts).sum();
    if bytes > MAX_BYTES {
        return Err(StoreError::TooLarge {
            bytes,
            limit: MAX_BYTES,
        });
    }
    Ok(())
}

fn append_bytes(append: &Append) -> u64 {
    let header = append.genesis().map_or(0, |new| new.header.len());
    let rows = append.rows().iter().map(|row| {
        let contents: usize = row.contents().iter().map(|part| part.bytes.len()).sum();
        row.payload().len() + contents
    });
    (header + rows.sum::<usize>()) as u64
}

/// Executes a commit in an open transaction. After an error the caller must roll the transaction back.
pub(crate) async fn execute(
    connection: &mut PgConnection,
    commit: &Commit,
    fence: Fence,
    lease_seconds: f64,
) -> Result<(), Refusal> {
    let owners = lock(connection, commit, fence).await?;
    let is_own = |run: &RunId| owners.get(run) == Some(&fence.epoch);
    let mut appends: Vec<&Append> = commit.appends.iter().collect();
    appends.sort_by_key(|append| append.run());
    let drafts: Vec<&Draft> = commit
        .drafts
        .iter()
        .filter(|draft| is_own(&draft.run))
        .collect();
    // The last result of a key counts; one statement must not write a key twice.
    let results = commit.results.iter().filter(|result| is_own(&result.run));
    let results: BTreeMap<_, &KeyedResult> = results.map(|result| (result.key, result)).collect();
    let settled: Vec<i64> = commit.settled.iter().map(|id| signed(id.get())).collect();
    let write = sqlx::query(WRITE)
        .bind(signed(fence.epoch))
        .bind(lease_seconds);
    let write = bind_runs(write, &appends);
    let write = bind_rows(write, &appends);
    let write = bind_contents(write, &appends).bind(settled);
    let write = bind_drafts(write, &drafts);
    let write = write
        .bind(results.keys().map(|key| &key[..]).collect::<Vec<_>>())
        .bind(
            results
                .values()
                .map(|result| result.run.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(
            results
                .values()
                .map(|result| i64::from(result.content.get()))
                .collect::<Vec<_>>(),
        );
    let written = match write.fetch_all(&mut *connection).await {
        Ok(written) => written,
        // The runs are locked, so only rows that are left of a deleted line can be there already.
        Err(error) if is_duplicate(&error) => return Err(why_duplicate(commit, error)),
        Err(error) => return Err(error.into()),
    };
    check_written(&appends, &written)
}

/// Locks the runs of a commit and checks that each append continues its run. Returns the owner of each run after
/// the commit.
async fn lock(
    connection: &mut PgConnection,
    commit: &Commit,
    fence: Fence,
) -> Result<BTreeMap<RunId, u64>, Refusal> {
    let mut names: BTreeSet<&str> = commit
        .appends
        .iter()
        .map(|append| append.run().as_str())
        .collect();
    names.extend(commit.drafts.iter().map(|draft| draft.run.as_str()));
    names.extend(commit.results.iter().map(|result| result.run.as_str()));
    let settled: Vec<i64> = commit.settled.iter().map(|id| signed(id.get())).collect();
    let query = sqlx::query(LOCK)
        .bind(names.into_iter().collect::<Vec<_>>())
        .bind(settled);
    let mut locked = BTreeMap::new();
    for row in query.fetch_all(&mut *connection).await? {
        if let Ok(run) = row.try_get::<&str, _>(0)?.parse::<RunId>() {
            locked.insert(run, row);
        }
    }
    let mut owners = BTreeMap::new();
    for (run, row) in &locked {
        owners.insert(run.clone(), row.try_get::<i64, _>(1)?.cast_unsigned());
    }
    for append in &commit.appends {
        check(append, locked.get(append.run()), fence)?;
        owners.insert(append.run().clone(), fence.epoch);
    }
    Ok(owners)
}

fn check(append: &Append, found: Option<&PgRow>, fence: Fence) -> Result<(), Refusal> {
    let run = append.run();
    let refused = |error| Err(Refusal::Store(error));
    let row = match (append.genesis(), found) {
        (Some(_), Some(_)) => return refused(StoreError::Exists { run: run.clone() }),
        (Some(_), None) => return Ok(()),
        (None, None) => return refused(StoreError::NotFound { run: run.clone() }),
        (None, Some(row)) => row,
    };
    let theirs = row.try_get::<i64, _>(1)?.cast_unsigned();
    if theirs != fence.epoch {
        return refused(StoreError::Fenced {
            run: run.clone(),
            ours: fence.epoch,
            theirs,
        });
    }
    let last = Seq::new(row.try_get::<i64, _>(2)?.cast_unsigned());
    let Some(head) = ChainHash::from_slice(row.try_get(3)?) else {
        return refused(StoreError::damaged(
            run,
            None,
            "the head of its chain is not a hash",
        ));
    };
    append
        .start()
        .check_continues(last, head)
        .map_err(Refusal::Store)
}

/// A new run that another process created meanwhile was not written.
fn check_written(appends: &[&Append], written: &[PgRow]) -> Result<(), Refusal> {
    let written: BTreeSet<&str> = written
        .iter()
        .filter_map(|row| row.try_get(0).ok())
        .collect();
    match appends
        .iter()
        .find(|append| !written.contains(append.run().as_str()))
    {
        Some(append) => Err(Refusal::Store(StoreError::Exists {
            run: append.run().clone(),
        })),
        None => Ok(()),
    }
}

/// Rows of a new run that are there already are damage to that run alone. The detail of the error names the key.
fn why_duplicate(commit: &Commit, error: sqlx::Error) -> Refusal {
    let server = error.as_database_error();
    let server = server.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    let key = server.and_then(PgDatabaseError::detail).unwrap_or_default();
    let is_named = |append: &&Append| key.contains(&format!("=({}, ", append.run()));
    match commit.appends.iter().find(is_named) {
        Some(append) => {
            let what = "rows of an earlier run of that name are left, whose line is missing";
            Refusal::Store(StoreError::damaged(append.run(), None, what))
        }
        None => Refusal::Server(error),
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// One parameter: a value of each item.
fn column<'i, I, T>(items: &'i [I], value: impl Fn(&'i I) -> T) -> Vec<T> {
    items.iter().map(value).collect()
}

fn bind_runs<'q>(query: Query<'q>, appends: &[&'q Append]) -> Query<'q> {
    // An existing run keeps its title, creation time and genesis: the values sent here are ignored.
    let title = |append: &&'q Append| {
        append
            .genesis()
            .map_or(Cow::Borrowed(""), |new| stored(&new.title))
    };
    let created = |append: &&Append| {
        append
            .genesis()
            .map_or(0, |new| signed(new.created_at.as_micros()))
    };
    query
        .bind(column(appends, |append| append.run().as_str()))
        .bind(column(appends, |append| append.genesis().is_some()))
        .bind(column(appends, title))
        .bind(column(appends, created))
        .bind(column(appends, |append| {
            signed(append.updated_at().as_micros())
        }))
        .bind(column(appends, |append| stored(&append.status().state)))
        .bind(column(appends, |append| append.status().open))
        .bind(column(appends, |append| stored(&append.status().summary)))
        .bind(column(appends, |append| signed(append.last().get())))
        .bind(column(appends, |append| append.prev().as_bytes().to_vec()))
        .bind(column(appends, |append| append.head().as_bytes().to_vec()))
        .bind(column(appends, |append| {
            append.status_hash().as_bytes().to_vec()
        }))
}

fn bind_rows<'q>(query: Query<'q>, appends: &[&'q Append]) -> Query<'q> {
    let with_run = |append: &&'q Append| {
        let run = append.run().as_str();
        append.rows().iter().map(move |row| (run, row))
    };
    let rows: Vec<(&str, &SealedRow)> = appends.iter().flat_map(with_run).collect();
    query
        .bind(column(&rows, |(run, _)| *run))
        .bind(column(&rows, |(_, row)| signed(row.seq().get())))
        .bind(column(&rows, |(_, row)| signed(row.at().as_micros())))
        .bind(column(&rows, |(_, row)| stored(row.payload())))
        .bind(column(&rows, |(_, row)| ids(row)))
        .bind(column(&rows, |(_, row)| {
            row.content_hash().as_bytes().to_vec()
        }))
        .bind(column(&rows, |(_, row)| row.hash().as_bytes().to_vec()))
}

/// The content ids of a row in the form of an array, `{3,3,4}`: an array of arrays would be flattened.
fn ids(row: &SealedRow) -> Option<String> {
    if row.contents().is_empty() {
        return None;
    }
    let mut ids = String::from("{");
    for part in row.contents() {
        let separator = if ids.len() == 1 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(ids, "{separator}{}", part.id);
    }
    ids.push('}');
    Some(ids)
}

/// One row of the table of contents.
struct Part<'q> {
    run: &'q str,
    content: i64,
    seq: i64,
    part: i64,
    hash: ChainHash,
    kind: &'q str,
    name: &'q str,
    bytes: &'q [u8],
}

fn parts<'q>(append: &'q Append) -> Vec<Part<'q>> {
    let run = append.run().as_str();
    let (kind, content) = HEADER;
    let header = append.genesis().map(|new| Part {
        run,
        content,
        seq: 0,
        part: 0,
        hash: append.prev(),
        kind,
        name: "",
        bytes: &new.header,
    });
    let of_rows = append.rows().iter().flat_map(|row| {
        row.parts().zip(0..).map(|((part, hash), place)| Part {
            run,
            content: part.id.get().into(),
            seq: signed(row.seq().get()),
            part: place,
            hash,
            kind: part.kind.as_str(),
            name: &part.name,
            bytes: &part.bytes,
        })
    });
    header.into_iter().chain(of_rows).collect()
}

fn bind_contents<'q>(query: Query<'q>, appends: &[&'q Append]) -> Query<'q> {
    let parts: Vec<Part<'q>> = appends.iter().flat_map(|append| parts(append)).collect();
    query
        .bind(column(&parts, |part| part.run))
        .bind(column(&parts, |part| part.content))
        .bind(column(&parts, |part| part.seq))
        .bind(column(&parts, |part| part.part))
        .bind(column(&parts, |part| part.hash.as_bytes().to_vec()))
        .bind(column(&parts, |part| stored(part.kind)))
        .bind(column(&parts, |part| stored(part.name)))
        .bind(column(&parts, |part| part.bytes))
}

fn bind_drafts<'q>(query: Query<'q>, drafts: &[&'q Draft]) -> Query<'q> {
    let written = drafts
        .iter()
        .filter_map(|draft| Some((*draft, draft.bytes.as_deref()?)));
    let written: Vec<(&Draft, &[u8])> = written.collect();
    let removed = drafts.iter().filter(|draft| draft.bytes.is_none());
    let removed: Vec<&Draft> = removed.copied().collect();
    let hash = |draft: &Draft, bytes| Draft::hash(&draft.run, &draft.key, draft.at, bytes);
    query
        .bind(column(&written, |(draft, _)| draft.run.as_str()))
        .bind(column(&written, |(draft, _)| stored(&draft.key)))
        .bind(column(&written, |(draft, _)| signed(draft.at.as_micros())))
        .bind(column(&written, |(draft, bytes)| {
            hash(draft, bytes).as_bytes().to_vec()
        }))
        .bind(column(&written, |(_, bytes)| *bytes))
        .bind(column(&removed, |draft| draft.run.as_str()))
        .bind(column(&removed, |draft| stored(&draft.key)))
}

/// Whether a commit of unknown outcome was written. Waits for its transaction, which has the runs locked until it
/// ends; a run that it creates cannot be waited for. Without rows a commit can be made again, so it counts as not
/// written.
pub(crate) async fn is_written(
    connection: &mut PgConnection,
    commit: &Commit,
    fence: Fence,
) -> Result<bool, sqlx::Error> {
    let has_rows = |append: &&Append| append.genesis().is_some() || !append.rows().is_empty();
    let mut with_rows: Vec<&Append> = commit.appends.iter().filter(has_rows).collect();
    with_rows.sort_by_key(|append| append.genesis().is_some());
    let Some(append) = with_rows.first() else {
        return Ok(false);
    };
    let names = vec![append.run().as_str()];
    let query = sqlx::query(LOCK).bind(names).bind(Vec::<i64>::new());
    let Some(row) = query.fetch_optional(connection).await? else {
        return Ok(false);
    };
    let head: &[u8] = row.try_get(3)?;
    Ok(row.try_get::<i64, _>(1)?.cast_unsigned() == fence.epoch
        && row.try_get::<i64, _>(2)? == signed(append.last().get())
        && head == append.head().as_bytes())
}

/// A number in the type that Postgres stores. Numbers above `i64::MAX` do not occur.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Refusal {
    /// The error of the port.
    pub(crate) fn into_store(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Server(error) => postgres_error::writing(error),
        }
    }
}
