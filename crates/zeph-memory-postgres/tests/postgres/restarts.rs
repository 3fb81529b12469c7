//! A server that crashes: acknowledged commits survive, and the store finds the server again.

use std::time::Duration;

use zeph_memory::{RawGraphStore as _, StoreError, verify};
use zeph_memory_postgres::{PostgresOptions, PostgresStore};

use crate::fixtures;
use crate::server::OwnServer;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_commits_survive_crashes_of_the_server_and_the_store_connects_again() {
    let Some(server) = OwnServer::start() else {
        return;
    };
    let address = server.database().await;
    let (store, fence) = fixtures::owner(&address, "test", 600_000).await;
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    for _ in 0..3 {
        for _ in 0..5 {
            store
                .commit(&fixtures::one_more(&mut chain), fence)
                .await
                .unwrap();
        }
        server.crash();
        server.start();
        assert_eq!(store.load(chain.run()).await.unwrap().chain, chain);
    }
    store
        .commit(&fixtures::one_more(&mut chain), fence)
        .await
        .unwrap();
    verify(&store, chain.run()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_waits_for_a_server_that_restarts_and_is_written_once() {
    let Some(server) = OwnServer::start() else {
        return;
    };
    let address = server.database().await;
    let (store, fence) = fixtures::owner(&address, "test", 600_000).await;
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    let committing = {
        let (store, mut chain) = (store.clone(), chain.clone());
        tokio::spawn(async move {
            for _ in 0..200 {
                store.commit(&fixtures::one_more(&mut chain), fence).await?;
            }
            Ok::<_, StoreError>(chain)
        })
    };
    let server = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            server.crash();
            server.start();
        }
        server
    });
    let server = server.await.unwrap();
    chain = committing.await.unwrap().unwrap();
    assert_eq!(verify(&store, chain.run()).await.unwrap().rows, 201);
    assert_eq!(store.load(chain.run()).await.unwrap().chain, chain);
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_a_commit_fails_in_time_and_works_again_when_there_is_one() {
    let Some(server) = OwnServer::start() else {
        return;
    };
    let address = server.database().await;
    let options = PostgresOptions::default().reconnect_timeout(Duration::from_millis(200));
    let store = PostgresStore::open_with(&address, options).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    server.crash();
    let commit = fixtures::one_more(&mut chain);
    let error = store.commit(&commit, fence).await.unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    server.start();
    store.commit(&commit, fence).await.unwrap();
    assert_eq!(store.load(chain.run()).await.unwrap().chain, chain);
}
