//! Files and folders without write permission, used by a process without root rights.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use zeph_memory::{RawGraphStore, StoreError};
use zeph_memory_sqlite::SqliteStore;

use crate::fixtures;

const CHILD: &str = "ZEPH_TEST_FOLDER_WITHOUT_RIGHTS";

/// A user id that owns nothing, by convention.
const OTHER_USER: u32 = 65_534;

/// Runs only in the process that the next test starts, which may not write.
#[tokio::test]
async fn child_that_may_not_write() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let folder = Path::new(&folder);
    let run = fixtures::run_id("run");

    let closed = folder.join("closed").join("runs.db");
    let error = SqliteStore::open(&closed).await.unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    let store = SqliteStore::open_read_only(&closed).await.unwrap();
    assert_eq!(
        store.load(&run).await.unwrap().rows.len(),
        3,
        "a read-only folder can be read"
    );

    let error = SqliteStore::open(folder.join("closed").join("new.db"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert!(error.to_string().contains("permission"), "{error}");

    let file = folder.join("open").join("runs.db");
    let refused = match SqliteStore::open(&file).await {
        Ok(store) => store.claim("test", fixtures::at(1)).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
    assert!(
        refused.to_string().contains("may only be read"),
        "{refused}"
    );
    assert_eq!(
        SqliteStore::open_read_only(&file)
            .await
            .unwrap()
            .load(&run)
            .await
            .unwrap()
            .rows
            .len(),
        3
    );

    let secret = folder.join("secret").join("runs.db");
    for result in [
        SqliteStore::open(&secret).await,
        SqliteStore::open_read_only(&secret).await,
    ] {
        let error = result.unwrap_err();
        assert!(
            matches!(error, StoreError::Io { .. }),
            "unreadable is not absent: {error}"
        );
    }
    println!("all refused");
}

#[tokio::test]
async fn a_database_without_write_permission_can_be_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for name in ["closed", "open", "secret"] {
        let path = folder.path().join(name).join("runs.db");
        let store = SqliteStore::open(&path).await.unwrap();
        let fence = store.claim("test", fixtures::at(0)).await.unwrap();
        fixtures::create(&store, fence, "run", 3).await;
        store.close().await.unwrap();
        set(&path, 0o444);
    }
    // The test program itself may be in a folder that only root can read.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    set(&program, 0o755);
    set(folder.path(), 0o755);
    set(&folder.path().join("closed"), 0o555);
    set(&folder.path().join("open"), 0o777);
    set(&folder.path().join("secret"), 0o000);
    let mut child = Command::new(&program);
    child
        .args(["--exact", "rights::child_that_may_not_write", "--nocapture"])
        .env(CHILD, folder.path());
    if fs::metadata(&program).unwrap().uid() == 0 {
        child.uid(OTHER_USER).gid(OTHER_USER);
    }
    let output = child.current_dir("/").output().unwrap();
    for name in ["closed", "secret"] {
        set(&folder.path().join(name), 0o755);
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("all refused"),
        "{said}{failed}"
    );
}

#[tokio::test]
async fn a_database_of_another_user_is_read_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    SqliteStore::open(&path)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    if fs::metadata(&path).unwrap().uid() != 0 {
        // Only root can give a file away.
        return;
    }
    std::os::unix::fs::chown(&path, Some(OTHER_USER), None).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("belongs to another user (number 65534)"),
        "{error}"
    );
    SqliteStore::open_read_only(&path).await.unwrap();
}
