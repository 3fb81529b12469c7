//! A damaged row is found when its run is read, and named.

use zeph_memory::{Commit, RawGraphStore as _, StoreError};

use crate::fixtures::{self, owner};
use crate::server;

#[tokio::test]
async fn a_damaged_row_is_found_by_a_load_and_named() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (store, fence) = owner(&address, "test", 600_000).await;
    for (name, sql) in [
        (
            "payload",
            "UPDATE journal SET payload = '{}' WHERE run = 'payload' AND seq = 2",
        ),
        (
            "at",
            "UPDATE journal SET at = at + 1 WHERE run = 'at' AND seq = 2",
        ),
        (
            "negative",
            "UPDATE journal SET at = -1 WHERE run = 'negative' AND seq = 2",
        ),
        (
            "hash",
            "UPDATE journal SET hash = '\\x00' WHERE run = 'hash' AND seq = 2",
        ),
        ("row", "DELETE FROM journal WHERE run = 'row' AND seq = 2"),
        (
            "escape",
            "UPDATE journal SET payload = payload || E'\\x1a0' WHERE run = 'escape' AND seq = 2",
        ),
    ] {
        let chain = fixtures::create(&store, fence, name, 3).await;
        let mut connection = server.raw(&address).await;
        let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{name}");
        let error = store.load(chain.run()).await.unwrap_err();
        let StoreError::Damaged { run, seq, .. } = &error else {
            panic!("{name}: {error}");
        };
        assert_eq!(run, chain.run());
        assert_eq!(seq.map(zeph_graph::Seq::get), Some(2), "{name}: {error}");
    }
    let sound = fixtures::create(&store, fence, "sound", 3).await;
    store.load(sound.run()).await.unwrap();
}

#[tokio::test]
async fn rows_that_are_left_of_a_lost_line_are_damage_to_that_run_alone() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (store, fence) = owner(&address, "test", 600_000).await;
    fixtures::create(&store, fence, "lost", 2).await;
    let mut connection = server.raw(&address).await;
    sqlx::raw_sql("DELETE FROM runs WHERE run = 'lost'")
        .execute(&mut connection)
        .await
        .unwrap();
    let mut appends = fixtures::new_run("lost", 1).1.appends;
    appends.extend(fixtures::new_run("other", 1).1.appends);
    let commit = Commit {
        appends,
        ..Commit::default()
    };
    let error = store.commit(&commit, fence).await.unwrap_err();
    let StoreError::Damaged { run, what, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(run.as_str(), "lost");
    assert!(what.contains("left"), "{what}");
    fixtures::create(&store, fence, "other", 1).await;
}
