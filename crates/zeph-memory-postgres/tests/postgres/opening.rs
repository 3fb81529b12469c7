//! Opening: the tables are created once, in their own schema, and foreign or newer ones are refused.

use zeph_memory::{ListQuery, RawGraphStore as _, StoreError};
use zeph_memory_postgres::{Address, PostgresStore, SCHEMA_VERSION};

use crate::fixtures;
use crate::server;

async fn execute(server: &server::Server, address: &Address, sql: &'static str) {
    let mut connection = server.raw(address).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_open_an_empty_database_at_once_create_its_tables_once() {
    let Some(server) = server::shared() else {
        return;
    };
    for _ in 0..5 {
        let address = server.database().await;
        let mut opening = Vec::new();
        for _ in 0..6 {
            let address = address.clone();
            opening.push(tokio::spawn(async move {
                let store = PostgresStore::open(&address).await.unwrap();
                store.claim("test", fixtures::at(0)).await.unwrap().epoch
            }));
        }
        let mut epochs = Vec::new();
        for task in opening {
            epochs.push(task.await.unwrap());
        }
        epochs.sort_unstable();
        assert_eq!(epochs, (1..=6).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    PostgresStore::open(&address).await.unwrap();
    execute(server, &address, "UPDATE schema_version SET version = 99").await;
    for opened in [
        PostgresStore::open(&address).await,
        PostgresStore::open_read_only(&address).await,
    ] {
        let error = opened.unwrap_err();
        let StoreError::Newer { found, known, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((*found, *known), (99, SCHEMA_VERSION));
        let text = error.to_string();
        assert!(
            text.contains("schema 99") && text.contains(&address.to_string()),
            "{text}"
        );
    }
}

#[tokio::test]
async fn tables_of_another_program_are_left_alone() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    execute(
        server,
        &address,
        "CREATE SCHEMA zeph; CREATE TABLE zeph.runs (id int)",
    )
    .await;
    let error = PostgresStore::open(&address).await.unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
    assert!(error.to_string().contains("another program"), "{error}");
    execute(server, &address, "SELECT id FROM zeph.runs").await;
}

#[tokio::test]
async fn a_reader_creates_nothing_and_writes_nothing() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let error = PostgresStore::open_read_only(&address).await.unwrap_err();
    assert!(error.to_string().contains("no tables"), "{error}");
    let (store, fence) = fixtures::owner(&address, "writer", 600_000).await;
    let chain = fixtures::create(&store, fence, "run", 3).await;
    let reader = PostgresStore::open_read_only(&address).await.unwrap();
    assert_eq!(reader.load(chain.run()).await.unwrap().chain, chain);
    let error = reader.claim("reader", fixtures::at(0)).await.unwrap_err();
    assert!(error.to_string().contains("reading only"), "{error}");
}

#[tokio::test]
async fn two_schemas_of_one_database_are_two_stores() {
    let Some(server) = server::shared() else {
        return;
    };
    let first = server.database().await;
    let database = first.to_string();
    let name = database
        .rsplit('/')
        .next()
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let url = format!("{}&options=-csearch_path=team_b", server.url(name));
    let second: Address = url.parse().unwrap();
    let (one, ours) = fixtures::owner(&first, "one", 600_000).await;
    fixtures::create(&one, ours, "run", 1).await;
    let (two, theirs) = fixtures::owner(&second, "two", 600_000).await;
    assert_eq!(two.list(ListQuery::default()).await.unwrap(), []);
    fixtures::create(&two, theirs, "run", 2).await;
    assert_eq!(
        one.load(&fixtures::run_id("run")).await.unwrap().rows.len(),
        1
    );
}

#[tokio::test]
async fn no_error_of_a_server_shows_the_password() {
    let Some(server) = server::shared() else {
        return;
    };
    for (database, parameters) in [
        ("no_such_database", ""),
        ("postgres", "&user=no_such_user"),
        ("postgres", "&port=1"),
    ] {
        let url = server.url(database).replace("zeph@", "zeph:hunter2@");
        let address: Address = format!("{url}{parameters}").parse().unwrap();
        let error = PostgresStore::open(&address).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
