//! Files: a run database is opened, a missing one created, any other file refused and left unchanged.

use std::fs;
use std::path::Path;

use sqlx::Connection;
use zeph_memory::{
    Chain, Commit, Content, ContentKind, NewRun, RawGraphStore, Row, RunStatus, StoreError,
};
use zeph_memory_sqlite::{SCHEMA_VERSION, SqliteStore};

use crate::fixtures;

/// Opening fails as not a database, with that word, and does not change the file.
async fn is_refused(path: &Path, word: &str) {
    let before = fs::read(path).ok();
    for error in [
        SqliteStore::open(path).await.unwrap_err(),
        SqliteStore::open_read_only(path).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, StoreError::NotADatabase { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(fs::read(path).ok(), before);
}

#[tokio::test]
async fn a_file_of_another_format_is_refused() {
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("empty", vec![], "empty"),
        ("short", b"SQLite format 3\0".to_vec(), "too short"),
        ("zeroed", vec![0; 8_192], "not a SQLite file"),
        (
            "random",
            (0..=255).cycle().take(9_000).collect(),
            "not a SQLite file",
        ),
        ("text", b"# Notes\n".repeat(100), "not a SQLite file"),
    ];
    for (name, bytes, word) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        is_refused(&path, word).await;
        assert_eq!(
            folder.path().read_dir().unwrap().count(),
            1,
            "nothing is left beside {name}"
        );
    }
}

#[tokio::test]
async fn a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    fs::create_dir(&path).unwrap();
    is_refused(&path, "folder").await;
}

#[tokio::test]
async fn a_database_of_another_application_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    fs::write(&path, b"").unwrap();
    let mut connection = fixtures::raw(&path).await;
    sqlx::raw_sql("CREATE TABLE runs (run TEXT)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    is_refused(&path, "another application").await;
}

#[tokio::test]
async fn a_truncated_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    SqliteStore::open(&path)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(length / 2)
        .unwrap();
    is_refused(&path, "cannot read it").await;
}

#[tokio::test]
async fn a_log_without_its_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    fs::write(folder.path().join("runs.db-wal"), b"left over").unwrap();
    is_refused(&path, "whose database is missing").await;
}

#[tokio::test]
async fn a_missing_file_cannot_be_opened_for_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub").join("runs.db");
    let error = SqliteStore::open_read_only(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
    assert!(!path.parent().unwrap().exists());
}

/// A run database whose header has that schema version.
async fn with_version(path: &Path, version: i64) {
    let store = SqliteStore::open(path).await.unwrap();
    store.close().await.unwrap();
    let mut connection = fixtures::raw(path).await;
    let sql = format!("PRAGMA user_version = {version}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn the_schemas_of_unreleased_versions_are_refused() {
    for version in [1, 2, 3] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.db");
        with_version(&path, version).await;
        for error in [
            SqliteStore::open(&path).await.unwrap_err(),
            SqliteStore::open_read_only(&path).await.unwrap_err(),
        ] {
            let refused = matches!(error, StoreError::Unreleased { found, .. } if found == version);
            assert!(refused, "{error}");
            assert!(error.to_string().contains("move the file away"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    with_version(&path, 99).await;
    for error in [
        SqliteStore::open(&path).await.unwrap_err(),
        SqliteStore::open_read_only(&path).await.unwrap_err(),
    ] {
        let newer =
            matches!(error, StoreError::Newer { found: 99, known, .. } if known == SCHEMA_VERSION);
        assert!(newer, "{error}");
    }
}

/// A run database of schema version 0, which has no tables.
async fn without_schema(path: &Path) {
    fs::write(path, b"").unwrap();
    let mut connection = fixtures::raw(path).await;
    let sql = "PRAGMA application_id = 0x7a657068; VACUUM;";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_older_schema_is_migrated_when_it_is_opened_for_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    without_schema(&path).await;
    let error = SqliteStore::open_read_only(&path).await.unwrap_err();
    assert!(error.to_string().contains("has schema 0"), "{error}");
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    fixtures::create(&store, fence, "migrated", 1).await;
}

/// What the first version with migrations wrote: no drafts, and a view of its own time.
#[tokio::test]
async fn a_database_of_the_first_version_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let chain = fixtures::create(&store, fence, "kept", 3).await;
    store.close().await.unwrap();
    let mut connection = fixtures::raw(&path).await;
    let older = "DROP TABLE drafts; DROP TABLE results; DROP VIEW tasks;
                 CREATE VIEW tasks (run) AS SELECT run FROM runs; PRAGMA user_version = 4;";
    sqlx::raw_sql(older).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let error = SqliteStore::open_read_only(&path).await.unwrap_err();
    assert!(error.to_string().contains("has schema 4"), "{error}");
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.load(chain.run()).await.unwrap().chain, chain);
    store.close().await.unwrap();
    SqliteStore::open_read_only(&path).await.unwrap();
}

#[tokio::test]
async fn an_interrupted_migration_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    without_schema(&path).await;
    // A process that ends within a migration leaves an open transaction, which is rolled back.
    let mut ending = fixtures::raw(&path).await;
    let half = "BEGIN IMMEDIATE; PRAGMA user_version = 4; CREATE TABLE claims (epoch INTEGER);";
    sqlx::raw_sql(half).execute(&mut ending).await.unwrap();
    ending.close().await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    fixtures::create(&store, fence, "run", 3).await;
    store.close().await.unwrap();
    let mut connection = fixtures::raw(&path).await;
    let views = "SELECT count(*) FROM sqlite_schema WHERE type = 'view'";
    let views: i64 = sqlx::query_scalar(views)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(views, 6);
    assert!(SqliteStore::open_read_only(&path).await.is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").join("b").join("runs.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    fixtures::create(&store, fence, "run", 1).await;
    for name in ["runs.db", "runs.db-wal", "runs.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
    for folder in [
        path.parent().unwrap(),
        path.parent().unwrap().parent().unwrap(),
    ] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
}

#[tokio::test]
async fn concurrent_creation_gives_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let (one, two) = (
        tokio::spawn(SqliteStore::open(path.clone())),
        tokio::spawn(SqliteStore::open(path)),
    );
    let (one, two) = (one.await.unwrap().unwrap(), two.await.unwrap().unwrap());
    let fence = one.claim("test", fixtures::at(0)).await.unwrap();
    let chain = fixtures::create(&one, fence, "shared", 2).await;
    assert_eq!(two.load(chain.run()).await.unwrap().chain, chain);
    let drafts = folder.path().read_dir().unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains(".new-")
    });
    assert_eq!(drafts.count(), 0);
}

#[tokio::test]
async fn odd_paths_are_plain_paths() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["file:runs.db?mode=memory", "a b%20c#d.db", "ünï.db"] {
        let path = folder.path().join(name);
        SqliteStore::open(&path)
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        assert!(path.is_file(), "{name}");
    }
    let error = SqliteStore::open("").await.unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_path_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder
        .path()
        .join(std::ffi::OsStr::from_bytes(b"runs-\xff.db"));
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_lead_to_the_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("runs.db"), folder.path().join("link.db"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let error = SqliteStore::open(&link).await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    let one = SqliteStore::open(&path).await.unwrap();
    let two = SqliteStore::open(&link).await.unwrap();
    assert_eq!(one.path(), two.path());
    let fence = one.claim("test", fixtures::at(0)).await.unwrap();
    fixtures::create(&one, fence, "run", 1).await;
    assert!(fixtures::wal_bytes(&two) > 0);
    assert_eq!(fixtures::wal_bytes(&two), fixtures::wal_bytes(&one));
}

#[tokio::test]
async fn a_leftover_of_a_killed_creation_is_removed_once_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let left = (folder.path()).join(format!("runs.db.new-{}-0", std::process::id()));
    fs::write(&left, b"half a database").unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    store.close().await.unwrap();
    assert!(left.exists(), "its process may be about to lock it");
    // Killed between the link to the final name and the removal of the draft.
    fs::remove_file(&left).unwrap();
    fs::hard_link(&path, &left).unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    store.close().await.unwrap();
    assert!(left.exists());
    let file = fs::OpenOptions::new().write(true).open(&left).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(600);
    file.set_modified(old).unwrap();
    file.lock().unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    store.close().await.unwrap();
    assert!(left.exists(), "a living process works on it");
    file.set_modified(old).unwrap();
    drop(file);
    SqliteStore::open(&path).await.unwrap();
    assert!(!left.exists());
}

#[tokio::test]
async fn a_database_with_a_second_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, second) = (
        folder.path().join("runs.db"),
        folder.path().join("second.db"),
    );
    let store = SqliteStore::open(&path).await.unwrap();
    store.close().await.unwrap();
    fs::hard_link(&path, &second).unwrap();
    is_refused(&path, "second name").await;
    is_refused(&second, "second name").await;
    fs::remove_file(&second).unwrap();
    SqliteStore::open(&path).await.unwrap();
}

#[tokio::test]
async fn sql_of_others_in_the_schema_is_refused() {
    for (object, kind) in [
        (
            "CREATE TRIGGER t AFTER INSERT ON claims BEGIN DELETE FROM contents; END",
            "trigger",
        ),
        ("CREATE VIEW extra AS SELECT 1", "view"),
        ("CREATE TABLE extra (a)", "table"),
        ("CREATE INDEX extra ON runs (title)", "index"),
        ("DROP VIEW notes; CREATE VIEW notes AS SELECT 1", "view"),
        ("DROP VIEW notes", "16 of the 17"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.db");
        let store = SqliteStore::open(&path).await.unwrap();
        store.close().await.unwrap();
        let mut connection = fixtures::raw(&path).await;
        let object = sqlx::AssertSqlSafe(object);
        sqlx::raw_sql(object)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        is_refused(&path, kind).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.close().await.unwrap();
    let mut connection = fixtures::raw(&path).await;
    sqlx::raw_sql("ANALYZE")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    SqliteStore::open(&path).await.unwrap();
}

#[tokio::test]
async fn a_closed_database_is_complete_by_its_file_alone_even_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let chain = fixtures::create(&store, fence, "run", 3).await;
    let reader = SqliteStore::open_read_only(&path).await.unwrap();
    reader.load(chain.run()).await.unwrap();
    store.close().await.unwrap();
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    let copy = SqliteStore::open_read_only(&copy).await.unwrap();
    assert_eq!(copy.load(chain.run()).await.unwrap().chain, chain);
    drop(reader);
}

#[tokio::test]
async fn a_closed_store_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("runs.db"))
        .await
        .unwrap();
    let clone = store.clone();
    store.close().await.unwrap();
    assert_eq!(fixtures::wal_bytes(&clone), 0);
    let error = clone.claim("test", fixtures::at(0)).await.unwrap_err();
    assert!(error.to_string().contains("was closed"), "{error}");
    assert!(clone.list(zeph_memory::ListQuery::default()).await.is_err());
}

#[tokio::test]
async fn what_is_deleted_is_not_left_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(1)).await.unwrap();
    let chain = fixtures::create(&store, fence, "run", 1).await;
    let secret = "a text that is deleted later";
    let id = store.post(chain.run(), fixtures::at(1), secret).await;
    store.close().await.unwrap();
    let has_it = || String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(secret);
    assert!(has_it(), "while it waits");
    let store = SqliteStore::open(&path).await.unwrap();
    let settled = Commit {
        settled: vec![id.unwrap()],
        ..Commit::default()
    };
    store.commit(&settled, fence).await.unwrap();
    store.close().await.unwrap();
    assert!(!has_it(), "after it was settled");
}

#[tokio::test]
async fn the_space_of_deleted_runs_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let kept = fixtures::create(&store, fence, "kept", 3).await;
    assert_eq!(store.shrink().await.unwrap(), 0, "nothing is free");
    let ended = RunStatus::ended("completed");
    for name in ["one", "two", "three"] {
        let new = NewRun::new(fixtures::run_id(name), "", fixtures::at(1), "{}");
        let log = Content::new(fixtures::content_id(1), ContentKind::LOG, vec![7; 2 << 20]);
        let row = Row::new(fixtures::at(2), "{}").with(log);
        let append = Chain::genesis(&new)
            .seal(vec![row], ended.clone())
            .creating(new);
        store.commit(&Commit::one(append), fence).await.unwrap();
        store.delete(&fixtures::run_id(name), fence).await.unwrap();
    }
    let reader = SqliteStore::open_read_only(&path).await.unwrap();
    let loaded = reader.load(kept.run()).await.unwrap();
    let freed = store.shrink().await.unwrap();
    assert!(freed >= 1 << 20, "{freed} bytes");
    assert_eq!(reader.load(kept.run()).await.unwrap(), loaded);
    assert_eq!(store.shrink().await.unwrap(), 0, "once is enough");
    reader.close().await.unwrap();
    store.close().await.unwrap();
    let length = fs::metadata(&path).unwrap().len();
    assert!(length < 1 << 20, "{length} bytes");
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.load(kept.run()).await.unwrap(), loaded);
    assert_eq!(store.check().await.unwrap().findings, Vec::<String>::new());
}
