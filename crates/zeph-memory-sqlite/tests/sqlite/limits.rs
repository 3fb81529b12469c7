//! A process with a limit on file sizes: no write follows the failed one, and acknowledged commits stay.

use std::process::Command;

use zeph_memory::{RawGraphStore, StoreError, verify};
use zeph_memory_sqlite::SqliteStore;

use crate::fixtures;

const CHILD: &str = "ZEPH_TEST_LIMITED_DATABASE";

/// Runs only in the process that the next test starts, in which no file may grow beyond a limit.
#[tokio::test]
async fn child_that_runs_into_a_limit() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    let error = loop {
        let mut next = chain.clone();
        match store.commit(&fixtures::one_more(&mut next), fence).await {
            Ok(()) => chain = next,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    for _ in 0..3 {
        let error = store
            .commit(&fixtures::one_more(&mut chain.clone()), fence)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Broken { .. }), "{error}");
    }
    println!("acknowledged: {}", chain.last_seq());
}

#[cfg(unix)]
#[tokio::test]
async fn after_a_failed_write_nothing_is_written_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let script = "trap '' XFSZ; ulimit -f 500; exec \"$0\" --exact limits::child_that_runs_into_a_limit --nocapture";
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    let acknowledged: u64 = said
        .split_once("acknowledged: ")
        .unwrap()
        .1
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(acknowledged > 10);
    let store = SqliteStore::open(&path).await.unwrap();
    let rows = verify(&store, &fixtures::run_id("run")).await.unwrap().rows;
    assert!(
        rows == acknowledged || rows == acknowledged + 1,
        "{rows} rows, {acknowledged} acknowledged"
    );
    let fence = store.claim("test", fixtures::at(1)).await.unwrap();
    let run = fixtures::run_id("run");
    let former = store.get(&run).await.unwrap().epoch;
    store.adopt(&run, former, fence).await.unwrap();
    let mut chain = store.load(&run).await.unwrap().chain;
    store
        .commit(&fixtures::one_more(&mut chain), fence)
        .await
        .unwrap();
}

/// Runs only in the process that the next test starts.
#[tokio::test]
async fn child_that_creates() {
    if let Ok(path) = std::env::var(CHILD) {
        let created = SqliteStore::open(&path).await;
        println!("created: {}", created.is_ok());
    }
}

/// As on a disk that is full at any moment of a creation.
#[cfg(unix)]
#[tokio::test]
async fn a_database_that_cannot_be_written_whole_is_not_there_at_all() {
    let (mut whole, mut none) = (0, 0);
    for kib in (4..=180).step_by(8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.db");
        let script = format!(
            "trap '' XFSZ; ulimit -f {kib}; exec \"$0\" --exact limits::child_that_creates --nocapture"
        );
        let child = Command::new("bash")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env(CHILD, &path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success(), "{said}");
        let is_whole = said.contains("created: true");
        let left = folder.path().read_dir().unwrap();
        let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert!(is_whole || names.is_empty(), "{kib} KiB: {names:?}");
        *(if is_whole { &mut whole } else { &mut none }) += 1;
        let store = SqliteStore::open(&path).await.unwrap();
        store.claim("test", fixtures::at(0)).await.unwrap();
    }
    assert!(whole > 1 && none > 5, "{whole} whole, {none} not there");
}
