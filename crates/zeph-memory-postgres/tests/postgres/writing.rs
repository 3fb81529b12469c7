//! Writers at once: no deadlock, no lost row, no busy store.

use zeph_memory::{Chain, Commit, Fence, RawGraphStore as _, Row, RunStatus, StoreError, verify};
use zeph_memory_postgres::PostgresStore;

use crate::fixtures::{self, owner};
use crate::server;

const COMMITS: u32 = 100;

/// Two owners whose commits name the runs of both in opposite orders: each commit is refused, because one of its
/// runs is not its own, and none waits for the other for ever.
async fn cross(store: PostgresStore, fence: Fence, own: &mut Chain, other: Chain, own_first: bool) {
    for _ in 0..COMMITS {
        let mut chains = [own.clone(), other.clone()];
        if !own_first {
            chains.reverse();
        }
        let commit = fixtures::one_more_in_each(&mut chains);
        let error = store.commit(&commit, fence).await.unwrap_err();
        assert!(matches!(error, StoreError::Fenced { .. }), "{error}");
        store.commit(&fixtures::one_more(own), fence).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_commit_overlapping_runs_in_opposite_orders_do_not_deadlock() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (first, ours) = owner(&address, "first", 600_000).await;
    let (second, theirs) = owner(&address, "second", 600_000).await;
    let a = fixtures::create(&first, ours, "a", 1).await;
    let b = fixtures::create(&second, theirs, "b", 1).await;
    let (of_first, of_second) = (b.clone(), a.clone());
    let one = tokio::spawn(async move {
        let mut own = a;
        cross(first, ours, &mut own, of_first, true).await;
        own
    });
    let two = tokio::spawn(async move {
        let mut own = b;
        cross(second, theirs, &mut own, of_second, true).await;
        own
    });
    let reader = PostgresStore::open_read_only(&address).await.unwrap();
    for task in [one, two] {
        let chain = task.await.unwrap();
        assert_eq!(reader.load(chain.run()).await.unwrap().chain, chain);
        assert_eq!(
            verify(&reader, chain.run()).await.unwrap().rows,
            u64::from(COMMITS) + 1
        );
    }
    assert_eq!(deadlocks(server, &address).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_create_the_same_runs_in_opposite_orders_do_not_deadlock() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let mut creating = Vec::new();
    for is_reversed in [false, true] {
        let (store, fence) = owner(&address, "test", 600_000).await;
        creating.push(tokio::spawn(async move {
            let mut created = 0;
            for number in 0..30 {
                let mut names: Vec<String> = (0..8).map(|of| format!("r{number}-{of}")).collect();
                if is_reversed {
                    names.reverse();
                }
                let appends = names
                    .iter()
                    .flat_map(|name| fixtures::new_run(name, 2).1.appends);
                let commit = Commit {
                    appends: appends.collect(),
                    ..Commit::default()
                };
                match store.commit(&commit, fence).await {
                    Ok(()) => created += 1,
                    Err(StoreError::Exists { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            created
        }));
    }
    let mut created = 0;
    for task in creating {
        created += task.await.unwrap();
    }
    assert_eq!(created, 30, "each group of runs was created by one of both");
    assert_eq!(deadlocks(server, &address).await, 0);
}

async fn deadlocks(server: &server::Server, address: &zeph_memory_postgres::Address) -> i64 {
    let mut connection = server.raw(address).await;
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query_scalar(sql)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_write_that_waits_too_long_for_a_lock_is_busy_and_changes_nothing() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let options = zeph_memory_postgres::PostgresOptions::default()
        .lock_timeout(std::time::Duration::from_millis(50));
    let store = PostgresStore::open_with(&address, options).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    let mut connection = server.raw(&address).await;
    sqlx::raw_sql("BEGIN; SELECT * FROM runs FOR UPDATE")
        .execute(&mut connection)
        .await
        .unwrap();
    let commit = fixtures::one_more(&mut chain);
    let error = store.commit(&commit, fence).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut connection)
        .await
        .unwrap();
    store.commit(&commit, fence).await.unwrap();
    assert_eq!(store.load(chain.run()).await.unwrap().chain, chain);
}

#[tokio::test]
async fn a_commit_that_is_too_large_is_refused_before_anything_is_sent() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (store, fence) = owner(&address, "test", 600_000).await;
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    let id = zeph_graph::ContentId::new(9).unwrap();
    let bytes = vec![0_u8; 500_000_001];
    let large = zeph_memory::Content::new(id, zeph_memory::ContentKind::OUTPUT, bytes);
    let rows = vec![Row::new(fixtures::at(2), "{}").with(large)];
    let append = chain.clone().seal(rows, RunStatus::open("running"));
    let error = store.commit(&Commit::one(append), fence).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    store
        .commit(&fixtures::one_more(&mut chain), fence)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dropped_call_takes_effect_as_a_whole_or_not_at_all() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (store, fence) = owner(&address, "test", 600_000).await;
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    let commit = fixtures::one_more(&mut chain);
    // Polled once, so the job has begun, and then dropped.
    let dropped = store.commit(&commit, fence);
    tokio::select! {
        biased;
        _ = dropped => {}
        () = std::future::ready(()) => {}
    }
    // The next call waits for the writer, so the first one is over.
    store.commit(&Commit::default(), fence).await.unwrap();
    assert_eq!(store.load(chain.run()).await.unwrap().chain, chain);
    store
        .commit(&fixtures::one_more(&mut chain), fence)
        .await
        .unwrap();
}
