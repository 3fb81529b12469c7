//! Two processes on one file: each owns its runs, and an adopted run changes its owner atomically.

use std::path::Path;

use zeph_memory::{Chain, Fence, RawGraphStore, StoreError, verify};
use zeph_memory_sqlite::SqliteStore;

use crate::fixtures;

const COMMITS: u32 = 300;

async fn owner(path: &Path) -> (SqliteStore, Fence) {
    let store = SqliteStore::open(path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    (store, fence)
}

/// Commits without pause; every commit must succeed.
async fn work(store: SqliteStore, fence: Fence, mut chain: Chain) -> Chain {
    for _ in 0..COMMITS {
        let commit = fixtures::one_more(&mut chain);
        store.commit(&commit, fence).await.unwrap();
    }
    chain
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_commit_at_once_and_nothing_is_lost_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let mut working = Vec::new();
    for name in ["one", "two"] {
        let (store, fence) = owner(&path).await;
        let chain = fixtures::create(&store, fence, name, 1).await;
        working.push(tokio::spawn(work(store, fence, chain)));
    }
    let reader = SqliteStore::open_read_only(&path).await.unwrap();
    for task in working {
        let chain = task.await.unwrap();
        assert_eq!(reader.load(chain.run()).await.unwrap().chain, chain);
        let verified = verify(&reader, chain.run()).await.unwrap();
        assert_eq!(verified.rows, u64::from(COMMITS) + 1);
    }
}

#[tokio::test]
async fn adopting_a_run_fences_its_former_owner_from_that_run_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let (first, ours) = owner(&path).await;
    let mut taken = fixtures::create(&first, ours, "taken", 2).await;
    let mut kept = fixtures::create(&first, ours, "kept", 2).await;
    let (second, theirs) = owner(&path).await;
    second.adopt(taken.run(), ours.epoch, theirs).await.unwrap();

    let lost = fixtures::one_more(&mut taken.clone());
    let error = first.commit(&lost, ours).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { .. }), "{error}");
    assert!(
        error.to_string().contains("run taken was taken over"),
        "{error}"
    );
    let mut both = fixtures::one_more(&mut kept.clone());
    both.appends
        .append(&mut fixtures::one_more(&mut taken.clone()).appends);
    let error = first.commit(&both, ours).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { .. }), "{error}");

    let before = first.commit_statements();
    first
        .commit(&fixtures::one_more(&mut kept), ours)
        .await
        .unwrap();
    assert_eq!(first.commit_statements() - before, 3);
    second
        .commit(&fixtures::one_more(&mut taken), theirs)
        .await
        .unwrap();
    for chain in [&taken, &kept] {
        assert_eq!(first.load(chain.run()).await.unwrap().chain, *chain);
        verify(&second, chain.run()).await.unwrap();
    }
    assert_eq!(first.get(taken.run()).await.unwrap().epoch, theirs.epoch);
    assert_eq!(second.get(kept.run()).await.unwrap().epoch, ours.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_claims_get_different_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let mut claiming = Vec::new();
    for _ in 0..4 {
        let store = SqliteStore::open(&path).await.unwrap();
        claiming.push(tokio::spawn(async move {
            let mut epochs = Vec::new();
            for _ in 0..20 {
                epochs.push(store.claim("test", fixtures::at(0)).await.unwrap().epoch);
            }
            epochs
        }));
    }
    let mut epochs = Vec::new();
    for task in claiming {
        epochs.append(&mut task.await.unwrap());
    }
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=80).collect::<Vec<u64>>());
}

#[tokio::test]
async fn owners_without_a_run_are_forgotten_but_for_the_last_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("kept", fixtures::at(0)).await.unwrap();
    fixtures::create(&store, fence, "one", 1).await;
    let mut last = fence;
    for _ in 0..350 {
        last = store.claim("gone", fixtures::at(1)).await.unwrap();
    }
    assert_eq!(last.epoch, 351, "no epoch is used twice");
    store.close().await.unwrap();
    let mut connection = fixtures::raw(&path).await;
    let mut number = async |sql| {
        let number: i64 = sqlx::query_scalar(sql)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        number
    };
    assert_eq!(
        number("SELECT count(*) FROM claims WHERE name = 'kept'").await,
        1
    );
    assert!(number("SELECT count(*) FROM claims").await <= 201);
}
