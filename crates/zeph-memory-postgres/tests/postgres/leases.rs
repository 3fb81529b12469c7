//! An owner keeps its runs by its lease, and writes nothing to a run that another one has adopted.

use std::time::Duration;

use zeph_memory::{Lease, RawGraphStore as _, StoreError, verify};

use crate::fixtures::{self, owner};
use crate::server;

/// Longer than any test.
const LONG_MS: u64 = 600_000;

/// Ends the lease of an epoch, as if its owner had not renewed it in time.
async fn lapse(server: &server::Server, address: &zeph_memory_postgres::Address, epoch: u64) {
    let mut connection = server.raw(address).await;
    let sql = "UPDATE claims SET lapses_at = clock_timestamp() - interval '1 ms' WHERE epoch = $1";
    let done = sqlx::query(sql)
        .bind(epoch.cast_signed())
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test]
async fn a_run_of_a_living_owner_is_not_adopted_and_the_error_names_it_and_the_time_left() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (first, ours) = owner(&address, "pid 7 on ada", LONG_MS).await;
    let mut chain = fixtures::create(&first, ours, "run", 1).await;
    let (second, theirs) = owner(&address, "pid 8 on bob", LONG_MS).await;
    let error = second
        .adopt(chain.run(), ours.epoch, theirs)
        .await
        .unwrap_err();
    let StoreError::Owned { run, owner, left } = &error else {
        panic!("{error}");
    };
    assert_eq!((run, &**owner), (chain.run(), "pid 7 on ada"));
    assert!(
        *left <= Duration::from_millis(LONG_MS) && *left > Duration::from_millis(LONG_MS / 2),
        "{left:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains("pid 7 on ada") && text.contains(" s more"),
        "{text}"
    );
    first
        .commit(&fixtures::one_more(&mut chain), ours)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_store_that_is_closed_in_order_releases_its_runs_at_once() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (first, ours) = owner(&address, "first", LONG_MS).await;
    let mut chain = fixtures::create(&first, ours, "run", 1).await;
    let engine = first.clone();
    first.close().await.unwrap();
    // An engine may end after its store was closed.
    engine.release(ours).await.unwrap();
    let late = engine
        .commit(&fixtures::one_more(&mut chain.clone()), ours)
        .await;
    assert!(late.unwrap_err().to_string().contains("closed"));
    let (second, theirs) = owner(&address, "second", LONG_MS).await;
    assert_eq!(second.lease(ours.epoch).await.unwrap(), Lease::Lapsed);
    second.adopt(chain.run(), ours.epoch, theirs).await.unwrap();
    second
        .commit(&fixtures::one_more(&mut chain), theirs)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_paused_owner_that_comes_back_writes_nothing() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (paused, ours) = owner(&address, "paused", LONG_MS).await;
    let mut taken = fixtures::create(&paused, ours, "taken", 2).await;
    let mut kept = fixtures::create(&paused, ours, "kept", 2).await;
    lapse(server, &address, ours.epoch).await;
    let (second, theirs) = owner(&address, "second", LONG_MS).await;
    second.adopt(taken.run(), ours.epoch, theirs).await.unwrap();

    let before = second.load(taken.run()).await.unwrap();
    let request = second
        .post(taken.run(), fixtures::at(1), "{}")
        .await
        .unwrap();
    let mut late = fixtures::one_more(&mut taken.clone()).settling(request);
    late.appends
        .append(&mut fixtures::one_more(&mut kept.clone()).appends);
    late.appends.extend(fixtures::new_run("new", 1).1.appends);
    let error = paused.commit(&late, ours).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { .. }), "{error}");
    assert_eq!(second.load(taken.run()).await.unwrap(), before);
    assert_eq!(second.load(kept.run()).await.unwrap().rows.len(), 2);
    assert_eq!(second.inbox(taken.run()).await.unwrap().len(), 1);
    let new = second.load(&fixtures::run_id("new")).await.unwrap_err();
    assert!(matches!(new, StoreError::NotFound { .. }), "{new}");

    // What no other owner has adopted is still its own, and the commit renews its lease.
    paused
        .commit(&fixtures::one_more(&mut kept), ours)
        .await
        .unwrap();
    assert!(matches!(
        second.lease(ours.epoch).await.unwrap(),
        Lease::Held { .. }
    ));
    second
        .commit(&fixtures::one_more(&mut taken), theirs)
        .await
        .unwrap();
    for chain in [&taken, &kept] {
        verify(&second, chain.run()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_until_the_store_is_dropped_and_lapses_then() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (first, ours) = owner(&address, "first", 900).await;
    let chain = fixtures::create(&first, ours, "run", 1).await;
    let (second, theirs) = owner(&address, "second", LONG_MS).await;
    let mut connection = server.raw(&address).await;
    // The server waits, for longer than the lease, and says whether it was held all the time.
    let sql = "SELECT pg_sleep(0.1), lapses_at > clock_timestamp() FROM claims WHERE epoch = $1";
    for _ in 0..20 {
        let row = sqlx::query(sql)
            .bind(ours.epoch.cast_signed())
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(sqlx::Row::get::<bool, _>(&row, 1));
    }
    drop(first);
    let lapsed = async {
        while second.adopt(chain.run(), ours.epoch, theirs).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), lapsed)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_adopt_a_run_whose_lease_has_lapsed_one_gets_it() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (first, ours) = owner(&address, "first", LONG_MS).await;
    let chain = fixtures::create(&first, ours, "run", 1).await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(owner(&address, "other", LONG_MS).await);
    }
    first.release(ours).await.unwrap();
    let mut adopting = Vec::new();
    for (store, fence) in others {
        let run = chain.run().clone();
        adopting.push(tokio::spawn(async move {
            store.adopt(&run, ours.epoch, fence).await
        }));
    }
    let mut adopted = 0;
    for task in adopting {
        match task.await.unwrap() {
            Ok(()) => adopted += 1,
            Err(StoreError::Fenced { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(adopted, 1);
}

#[tokio::test]
async fn owners_without_a_run_are_forgotten_but_for_the_last_ones() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (store, fence) = owner(&address, "kept", LONG_MS).await;
    fixtures::create(&store, fence, "one", 1).await;
    let mut last = fence;
    for _ in 0..250 {
        last = store.claim("gone", fixtures::at(1)).await.unwrap();
        store.release(last).await.unwrap();
    }
    assert_eq!(last.epoch, 251, "no epoch is used twice");
    let mut connection = server.raw(&address).await;
    let sql = "SELECT count(*) FILTER (WHERE name = 'kept'), count(*) FROM claims";
    let (kept, all): (i64, i64) = sqlx::query_as(sql)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(kept, 1);
    assert!(all <= 201, "{all}");
}
