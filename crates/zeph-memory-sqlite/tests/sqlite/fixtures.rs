//! Fixtures: sample runs, and a second connection to the file.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use zeph_graph::{ContentId, RunId, Timestamp};
use zeph_memory::{
    Chain, Commit, Content, ContentKind, Fence, NewRun, RawGraphStore, Row, RunStatus,
};
use zeph_memory_sqlite::SqliteStore;

/// A moment in 2023.
pub(crate) fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

pub(crate) fn run_id(name: &str) -> RunId {
    name.parse().unwrap()
}

pub(crate) fn content_id(number: u32) -> ContentId {
    ContentId::new(number).unwrap()
}

/// A row with a distinct payload and content.
pub(crate) fn row(name: &str, number: u32) -> Row {
    let payload = format!(r#"{{"type":"started","task":{number},"attempt":1,"of":"{name}"}}"#);
    let bytes = format!("output {number} of {name}");
    Row::new(at(number.into()), payload).with(Content::new(
        content_id(number),
        ContentKind::OUTPUT,
        bytes,
    ))
}

/// Creates a run with that many rows, each with a content.
pub(crate) async fn create(store: &SqliteStore, fence: Fence, name: &str, rows: u32) -> Chain {
    let new = NewRun::new(run_id(name), name, at(0), format!(r#"{{"name":"{name}"}}"#));
    let mut chain = Chain::genesis(&new);
    let rows = (1..=rows).map(|number| row(name, number)).collect();
    let append = chain.seal(rows, RunStatus::open("running")).creating(new);
    store.commit(&Commit::one(append), fence).await.unwrap();
    chain
}

/// A commit of one more row.
pub(crate) fn one_more(chain: &mut Chain) -> Commit {
    let number = u32::try_from(chain.next_seq().get()).unwrap();
    let row = row(chain.run().as_str(), number);
    Commit::one(chain.seal(vec![row], RunStatus::open("running")))
}

/// The size of the write-ahead log; 0 when there is none.
pub(crate) fn wal_bytes(store: &SqliteStore) -> u64 {
    let mut log = store.path().as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// A connection that does not go through the store.
pub(crate) async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap()
}
