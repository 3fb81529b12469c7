//! Writing: few statements, no waiting for readers, and no writes after a failed one.

use std::fs;
use std::time::Duration;

use sqlx::{Connection, Row as _, SqliteConnection};
use zeph_memory::{Chain, Commit, NewRun, RawGraphStore, RunStatus, StoreError, verify};
use zeph_memory_sqlite::{SqliteOptions, SqliteStore};

use crate::fixtures;

async fn fresh(folder: &tempfile::TempDir) -> (SqliteStore, zeph_memory::Fence) {
    let options = SqliteOptions::default().busy_timeout(Duration::from_millis(50));
    let store = SqliteStore::open_with(folder.path().join("runs.db"), options)
        .await
        .unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    (store, fence)
}

async fn count(connection: &mut SqliteConnection) -> i64 {
    let row = sqlx::query("SELECT count(*) FROM journal")
        .fetch_one(connection)
        .await
        .unwrap();
    row.get(0)
}

#[tokio::test]
async fn a_commit_takes_three_statements_whatever_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let (store, fence) = fresh(&folder).await;
    let mut before = store.commit_statements();
    let mut chains = Vec::new();
    for (runs, rows) in [(1, 1), (1, 500), (40, 3)] {
        let mut commit = Commit::default();
        for n in 0..runs {
            let new = NewRun::new(
                fixtures::run_id(&format!("r{rows}-{n}")),
                "",
                fixtures::at(0),
                "{}",
            );
            let mut chain = Chain::genesis(&new);
            let rows = (1..=rows)
                .map(|number| fixtures::row("r", number))
                .collect();
            commit
                .appends
                .push(chain.seal(rows, RunStatus::open("running")).creating(new));
            chains.push(chain);
        }
        store.commit(&commit, fence).await.unwrap();
        assert_eq!(
            store.commit_statements() - before,
            3,
            "{runs} runs of {rows} rows"
        );
        before = store.commit_statements();
    }
    let request = store
        .post(chains[0].run(), fixtures::at(1), "{}")
        .await
        .unwrap();
    store
        .commit(&fixtures::one_more(&mut chains[0]).settling(request), fence)
        .await
        .unwrap();
    assert_eq!(
        store.commit_statements() - before,
        4,
        "with a request that is settled"
    );
}

#[tokio::test]
async fn readers_and_the_writer_do_not_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, fence) = fresh(&folder).await;
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    let mut reader = fixtures::raw(store.path()).await;
    let mut snapshot = reader.begin().await.unwrap();
    assert_eq!(count(&mut snapshot).await, 1);
    store
        .commit(&fixtures::one_more(&mut chain), fence)
        .await
        .unwrap();
    assert_eq!(count(&mut snapshot).await, 1, "the reader keeps its view");
    drop(snapshot);
    let mut writer = fixtures::raw(store.path()).await;
    let mut writing = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("DELETE FROM journal")
        .execute(&mut *writing)
        .await
        .unwrap();
    assert_eq!(store.load(chain.run()).await.unwrap().rows.len(), 2);
    assert_eq!(
        store
            .list(zeph_memory::ListQuery::default())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_store_held_by_another_process_is_busy_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let (store, fence) = fresh(&folder).await;
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    let mut other = fixtures::raw(store.path()).await;
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = store
        .commit(&fixtures::one_more(&mut chain.clone()), fence)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    held.rollback().await.unwrap();
    store
        .commit(&fixtures::one_more(&mut chain), fence)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_deleted_or_replaced_file_is_noticed() {
    for replace in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (store, fence) = fresh(&folder).await;
        let mut chain = fixtures::create(&store, fence, "run", 1).await;
        let copy = folder.path().join("copy.db");
        fs::copy(store.path(), &copy).unwrap();
        if replace {
            fs::rename(&copy, store.path()).unwrap();
        } else {
            fs::remove_file(store.path()).unwrap();
        }
        let result = store.commit(&fixtures::one_more(&mut chain), fence).await;
        assert!(
            matches!(result, Err(StoreError::Replaced { .. })),
            "{result:?}"
        );
        let result = store.load(chain.run()).await;
        assert!(
            matches!(result, Err(StoreError::Replaced { .. })),
            "{result:?}"
        );
        let result = store.claim("test", fixtures::at(1)).await;
        assert!(
            matches!(result, Err(StoreError::Replaced { .. })),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn reading_only_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, fence) = fresh(&folder).await;
    let chain = fixtures::create(&store, fence, "run", 2).await;
    let reader = SqliteStore::open_read_only(store.path()).await.unwrap();
    assert_eq!(reader.load(chain.run()).await.unwrap().chain, chain);
    let line = reader.get(chain.run()).await.unwrap();
    assert_eq!(line.epoch, fence.epoch);
    for result in [
        reader.claim("test", fixtures::at(1)).await.map(drop),
        reader.adopt(chain.run(), fence.epoch, fence).await,
        reader
            .commit(&fixtures::one_more(&mut chain.clone()), fence)
            .await,
        reader
            .post(chain.run(), fixtures::at(1), "{}")
            .await
            .map(drop),
        reader.delete(chain.run(), fence).await,
    ] {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("for reading only"), "{error}");
    }
}

#[tokio::test]
async fn the_last_close_writes_the_log_back() {
    let folder = tempfile::tempdir().unwrap();
    let (store, fence) = fresh(&folder).await;
    let chain = fixtures::create(&store, fence, "run", 100).await;
    assert!(fixtures::wal_bytes(&store) > 0);
    let (path, again) = (store.path().to_owned(), store.clone());
    store.close().await.unwrap();
    assert_eq!(fixtures::wal_bytes(&again), 0);
    // The file alone is a complete database.
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    let copy = SqliteStore::open_read_only(&copy).await.unwrap();
    assert_eq!(verify(&copy, chain.run()).await.unwrap().rows, 100);
}

#[tokio::test]
async fn the_log_stays_bounded_over_many_commits() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default().synchronous(zeph_memory_sqlite::Synchronous::Normal);
    let store = SqliteStore::open_with(folder.path().join("runs.db"), options)
        .await
        .unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    let mut most = 0;
    for _ in 0..1_500 {
        store
            .commit(&fixtures::one_more(&mut chain), fence)
            .await
            .unwrap();
        most = most.max(fixtures::wal_bytes(&store));
    }
    assert!(most < 6 << 20, "the log grew to {most} bytes");
}

#[tokio::test]
async fn a_dropped_call_leaves_the_store_consistent() {
    let folder = tempfile::tempdir().unwrap();
    let (store, fence) = fresh(&folder).await;
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    for polls in 0..40 {
        let mut next = chain.clone();
        let one_more = fixtures::one_more(&mut next);
        let mut commit = Box::pin(store.commit(&one_more, fence));
        for _ in 0..polls {
            if futures_poll(&mut commit).await {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(commit);
        // Writes are serialised, so this one follows the outcome of the previous one.
        let other = format!("other-{polls}");
        fixtures::create(&store, fence, &other, 1).await;
        let stored = store.load(chain.run()).await.unwrap();
        assert!(stored.chain == chain || stored.chain == next);
        chain = stored.chain;
    }
}

/// Polls once; returns whether the future is complete.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_ready())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_run_is_verified_without_false_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let (store, fence) = fresh(&folder).await;
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    let run = chain.run().clone();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for _ in 0..200 {
                store
                    .commit(&fixtures::one_more(&mut chain), fence)
                    .await
                    .unwrap();
            }
        }
    });
    let mut rounds = 0;
    while !writer.is_finished() {
        verify(&store, &run).await.unwrap();
        rounds += 1;
    }
    writer.await.unwrap();
    assert!(rounds > 0);
    assert_eq!(verify(&store, &run).await.unwrap().rows, 201);
}
