//! Damage to the file: any flipped bit leads to an error or is in unused bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use zeph_graph::{RunId, Seq};
use zeph_memory::{RawGraphStore, StoreError, StoredRun, verify};
use zeph_memory_sqlite::SqliteStore;

use crate::fixtures;

const PAGE: usize = 4_096;

/// A closed database of several runs, and its runs.
async fn sample(folder: &Path) -> (PathBuf, BTreeMap<RunId, StoredRun>) {
    let path = folder.join("runs.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let mut runs = BTreeMap::new();
    for name in ["one", "two", "three"] {
        let chain = fixtures::create(&store, fence, name, 60).await;
        runs.insert(chain.run().clone(), store.load(chain.run()).await.unwrap());
    }
    store.close().await.unwrap();
    assert!(
        !folder.join("runs.db-wal").exists(),
        "the file stands alone"
    );
    (path, runs)
}

fn find(bytes: &[u8], text: &str) -> usize {
    bytes
        .windows(text.len())
        .position(|window| window == text.as_bytes())
        .unwrap()
}

#[tokio::test]
async fn a_flipped_bit_in_a_payload_names_the_row_and_spares_other_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let mut bytes = fs::read(&path).unwrap();
    let place = find(&bytes, r#""task":7,"attempt":1,"of":"two""#);
    bytes[place + 7] ^= 1;
    fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let error = store.load(&fixtures::run_id("two")).await.unwrap_err();
    let named = matches!(&error, StoreError::Damaged { run, seq, .. }
        if run.as_str() == "two" && *seq == Some(Seq::new(7)));
    assert!(named, "{error}");
    for name in ["one", "three"] {
        let run = fixtures::run_id(name);
        assert_eq!(store.load(&run).await.unwrap(), runs[&run]);
        verify(&store, &run).await.unwrap();
    }
}

#[tokio::test]
async fn a_flipped_bit_in_a_content_names_the_content_and_the_row() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let mut bytes = fs::read(&path).unwrap();
    // Pages may also hold an older copy of the bytes, from before a page was split.
    let text = b"output 9 of one";
    for place in 0..bytes.len() - text.len() {
        if bytes[place..].starts_with(text) {
            bytes[place] ^= 0x20;
        }
    }
    fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let run = fixtures::run_id("one");
    assert_eq!(
        store.load(&run).await.unwrap(),
        runs[&run],
        "a load reads no contents"
    );
    let error = store
        .contents(&run, &[fixtures::content_id(9)])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("content 9 "), "{error}");
    let error = verify(&store, &run).await.unwrap_err();
    let named = matches!(&error, StoreError::Damaged { seq, what, .. }
        if *seq == Some(Seq::new(9)) && what.contains("content 9 "));
    assert!(named, "{error}");
    assert_eq!(
        store
            .contents(&run, &[fixtures::content_id(8)])
            .await
            .unwrap()
            .len(),
        1
    );
}

/// Opens a damaged copy: every run is as it was or an error. Returns how many runs were errors.
async fn served(path: &Path, runs: &BTreeMap<RunId, StoredRun>, what: &str) -> usize {
    let Ok(store) = SqliteStore::open(path).await else {
        return runs.len();
    };
    let mut errors = 0;
    for (run, expected) in runs {
        let loaded = store.load(run).await;
        let verified = verify(&store, run).await;
        match (loaded, verified) {
            (Ok(loaded), verified) => {
                assert_eq!(loaded, *expected, "{what} changed {run} unnoticed");
                let head = expected.chain.head();
                errors += usize::from(verified.is_err());
                assert!(
                    verified.is_err() || verified.unwrap().head == head,
                    "{what}"
                );
            }
            (Err(_), verified) => {
                assert!(
                    verified.is_err(),
                    "{what}: {run} cannot be loaded, yet is verified"
                );
                errors += 1;
            }
        }
    }
    store.close().await.ok();
    errors
}

fn damage(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("damaged.db");
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(folder.join(format!("damaged.db{suffix}"))).ok();
    }
    fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn no_flipped_bit_is_served_as_good_data() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let sound = fs::read(&path).unwrap();
    let mut noticed = 0;
    let mut state = 1_u64;
    for _ in 0..150 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(state >> 33).unwrap() % sound.len();
        let bit = 1 << (state >> 30 & 7);
        let mut bytes = sound.clone();
        bytes[place] ^= bit;
        let what = format!("bit {bit:#x} of byte {place}");
        noticed += usize::from(served(&damage(folder.path(), &bytes), &runs, &what).await > 0);
    }
    assert!(noticed > 30, "only {noticed} of 150 flips were noticed");
}

#[tokio::test]
async fn no_zeroed_page_is_served_as_good_data() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let sound = fs::read(&path).unwrap();
    for page in 0..sound.len() / PAGE {
        let mut bytes = sound.clone();
        bytes[page * PAGE..(page + 1) * PAGE].fill(0);
        served(
            &damage(folder.path(), &bytes),
            &runs,
            &format!("zeroed page {}", page + 1),
        )
        .await;
    }
}

#[tokio::test]
async fn a_truncated_file_is_never_served_as_good_data() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let sound = fs::read(&path).unwrap();
    for pages in [1, 2, 5, sound.len() / PAGE - 1] {
        let path = damage(folder.path(), &sound[..pages * PAGE]);
        assert_eq!(
            served(&path, &runs, &format!("cut to {pages} pages")).await,
            runs.len()
        );
    }
}

#[tokio::test]
async fn foreign_logs_and_stale_shared_memory_cause_no_silent_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let sound = fs::read(&path).unwrap();
    // The log of another run database, with changes that were not written back.
    let other = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(other.path().join("runs.db"))
        .await
        .unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    fixtures::create(&store, fence, "foreign", 20).await;
    let wal = fs::read(other.path().join("runs.db-wal")).unwrap();
    let shm = fs::read(other.path().join("runs.db-shm")).unwrap();

    let path = damage(folder.path(), &sound);
    fs::write(folder.path().join("damaged.db-wal"), &wal).unwrap();
    assert!(served(&path, &runs, "a foreign log").await > 0);

    let path = damage(folder.path(), &sound);
    fs::write(folder.path().join("damaged.db-shm"), &shm).unwrap();
    assert_eq!(served(&path, &runs, "stale shared memory").await, 0);
}
