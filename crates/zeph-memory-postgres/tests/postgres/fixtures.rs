//! Fixtures: sample runs.

use std::time::Duration;

use zeph_graph::{ContentId, RunId, Timestamp};
use zeph_memory::{
    Chain, Commit, Content, ContentKind, Fence, NewRun, RawGraphStore as _, Row, RunStatus,
};
use zeph_memory_postgres::{Address, PostgresOptions, PostgresStore};

/// A moment in 2023.
pub(crate) fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

pub(crate) fn run_id(name: &str) -> RunId {
    name.parse().unwrap()
}

/// A store with a lease of that many milliseconds, and an epoch of it.
pub(crate) async fn owner(address: &Address, name: &str, lease_ms: u64) -> (PostgresStore, Fence) {
    let options = PostgresOptions::default().lease(Duration::from_millis(lease_ms));
    let store = PostgresStore::open_with(address, options).await.unwrap();
    let fence = store.claim(name, at(0)).await.unwrap();
    (store, fence)
}

/// A row with a distinct payload and content.
pub(crate) fn row(name: &str, number: u32) -> Row {
    let payload = format!(r#"{{"type":"started","task":{number},"attempt":1,"of":"{name}"}}"#);
    let id = ContentId::new(number).unwrap();
    let bytes = format!("output {number} of {name}");
    Row::new(at(number.into()), payload).with(Content::new(id, ContentKind::OUTPUT, bytes))
}

/// A commit that creates a run with that many rows, each with a content, and the chain after it.
pub(crate) fn new_run(name: &str, rows: u32) -> (Chain, Commit) {
    let new = NewRun::new(run_id(name), name, at(0), format!(r#"{{"name":"{name}"}}"#));
    let mut chain = Chain::genesis(&new);
    let rows = (1..=rows).map(|number| row(name, number)).collect();
    let append = chain.seal(rows, RunStatus::open("running")).creating(new);
    (chain, Commit::one(append))
}

/// Creates a run with that many rows.
pub(crate) async fn create(store: &PostgresStore, fence: Fence, name: &str, rows: u32) -> Chain {
    let (chain, commit) = new_run(name, rows);
    store.commit(&commit, fence).await.unwrap();
    chain
}

/// A commit of one more row.
pub(crate) fn one_more(chain: &mut Chain) -> Commit {
    let number = u32::try_from(chain.next_seq().get()).unwrap();
    let row = row(chain.run().as_str(), number);
    Commit::one(chain.seal(vec![row], RunStatus::open("running")))
}

/// One commit of one more row in each run, in that order.
pub(crate) fn one_more_in_each(chains: &mut [Chain]) -> Commit {
    let commits = chains.iter_mut().map(one_more);
    Commit {
        appends: commits.flat_map(|commit| commit.appends).collect(),
        ..Commit::default()
    }
}
