//! Logs that are damaged, and the note of the last commit, which shows that.

use std::fs;
use std::path::{Path, PathBuf};

use zeph_memory::{Chain, Commit, Fence, RawGraphStore, RunStatus, StoreError};
use zeph_memory_sqlite::SqliteStore;

use crate::fixtures;

/// Copies a database with its log while it is open, as a kill would leave it.
fn killed(from: &Path, folder: &Path) -> PathBuf {
    let path = folder.join("runs.db");
    for suffix in ["", "-wal", "-last"] {
        let name = format!("runs.db{suffix}");
        fs::copy(from.join(&name), folder.join(&name)).unwrap();
    }
    path
}

#[tokio::test]
async fn a_damaged_or_missing_log_is_never_taken_for_an_older_state() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("runs.db"))
        .await
        .unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let mut chain = fixtures::create(&store, fence, "one", 3).await;
    store
        .commit(&fixtures::one_more(&mut chain), fence)
        .await
        .unwrap();
    let wal = fs::read(folder.path().join("runs.db-wal")).unwrap();

    let copy = tempfile::tempdir().unwrap();
    let path = killed(folder.path(), copy.path());
    let whole = SqliteStore::open(&path).await.unwrap();
    assert_eq!(whole.load(chain.run()).await.unwrap().chain, chain);
    whole.close().await.unwrap();
    let left = copy.path().read_dir().unwrap().count();
    assert_eq!(left, 1, "the file is complete by itself");

    for place in (0..wal.len()).step_by(997).map(Some).chain([None]) {
        let copy = tempfile::tempdir().unwrap();
        let path = killed(folder.path(), copy.path());
        let log = copy.path().join("runs.db-wal");
        match place {
            Some(place) => {
                let mut bytes = wal.clone();
                bytes[place] ^= 4;
                fs::write(&log, bytes).unwrap();
            }
            None => fs::remove_file(&log).unwrap(),
        }
        let reader = SqliteStore::open_read_only(&path).await.unwrap();
        let seen = reader.load(chain.run()).await.map(|run| run.chain);
        let reported = reader.check_log().await;
        let check = reader.check().await.unwrap();
        reader.close().await.unwrap();
        if seen.is_ok_and(|seen| seen == chain) {
            // A byte that SQLite does not read.
            reported.unwrap();
            continue;
        }
        let error = reported.unwrap_err();
        assert!(matches!(error, StoreError::LogDamaged { .. }), "{error}");
        assert!(error.to_string().contains("row 4 of run one"), "{error}");
        assert!(
            check
                .findings
                .iter()
                .any(|found| found.contains("row 4 of run one"))
        );
        let error = SqliteStore::open(&path).await.unwrap_err();
        assert!(matches!(error, StoreError::LogDamaged { .. }), "{error}");
        fs::remove_file(copy.path().join("runs.db-last")).unwrap();
        SqliteStore::open(&path).await.unwrap();
    }

    // A deleted run does not come back, and a request is not lost.
    let ended = chain.seal(vec![], RunStatus::ended("completed"));
    store.commit(&Commit::one(ended), fence).await.unwrap();
    for lost in ["request 1", "the deletion of run one"] {
        let before = fs::read(folder.path().join("runs.db-wal")).unwrap();
        if lost == "request 1" {
            store
                .post(chain.run(), fixtures::at(5), "{}")
                .await
                .unwrap();
        } else {
            store.delete(chain.run(), fence).await.unwrap();
        }
        let copy = tempfile::tempdir().unwrap();
        let path = killed(folder.path(), copy.path());
        fs::write(copy.path().join("runs.db-wal"), &before).unwrap();
        let error = SqliteStore::open(&path).await.unwrap_err();
        assert!(error.to_string().contains(lost), "{error}");
    }
}

/// Ends a run and deletes it.
async fn delete(store: &SqliteStore, fence: Fence, mut chain: Chain) {
    let ended = chain.seal(vec![], RunStatus::ended("completed"));
    store.commit(&Commit::one(ended), fence).await.unwrap();
    store.delete(chain.run(), fence).await.unwrap();
}

#[tokio::test]
async fn an_older_note_stays_true_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("runs.db-last");
    let store = SqliteStore::open(folder.path().join("runs.db"))
        .await
        .unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let mut notes = Vec::new();
    // Each run is created, deleted, and created again; a loss of power may leave any note of these.
    for _ in 0..2 {
        let chain = fixtures::create(&store, fence, "one", 3).await;
        notes.push(fs::read(&note).unwrap());
        delete(&store, fence, chain).await;
        notes.push(fs::read(&note).unwrap());
    }
    fixtures::create(&store, fence, "one", 2).await;
    for older in notes {
        fs::write(&note, older).unwrap();
        store.check_log().await.unwrap();
    }
    // A commit after all of these that is missing is noticed.
    let before = fs::read(folder.path().join("runs.db-wal")).unwrap();
    fixtures::create(&store, fence, "two", 1).await;
    let copy = tempfile::tempdir().unwrap();
    let path = killed(folder.path(), copy.path());
    fs::write(copy.path().join("runs.db-wal"), &before).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(error.to_string().contains("row 1 of run two"), "{error}");
}
