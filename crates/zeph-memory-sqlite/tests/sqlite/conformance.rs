//! The suite of the port passes on SQLite, with damage done by a second connection.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Connection;
use zeph_memory::conformance::{Harness, Outcome, Tamper, run_all};
use zeph_memory::{FaultyStore, RawGraphStore, StoreError};
use zeph_memory_sqlite::SqliteStore;

use crate::fixtures;

struct Folder {
    folder: tempfile::TempDir,
    faulty: bool,
}

impl Folder {
    fn path(&self, place: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{place}.db"))
    }
}

#[async_trait]
impl Harness for Folder {
    async fn open(&self, place: &str) -> Result<Arc<dyn RawGraphStore>, StoreError> {
        let store = SqliteStore::open(self.path(place)).await?;
        Ok(if self.faulty {
            Arc::new(FaultyStore::new(store))
        } else {
            Arc::new(store)
        })
    }

    async fn tamper(&self, place: &str, damage: &Tamper) -> Option<bool> {
        let mut connection = fixtures::raw(&self.path(place)).await;
        let run = damage.run().as_str();
        let query = match damage {
            Tamper::Payload { seq, .. } => sqlx::query(
                "UPDATE journal SET payload = payload || ' ' WHERE run = ?1 AND seq = ?2",
            )
            .bind(run)
            .bind(i64::try_from(seq.get()).unwrap()),
            Tamper::DropRow { seq, .. } => {
                sqlx::query("DELETE FROM journal WHERE run = ?1 AND seq = ?2")
                    .bind(run)
                    .bind(i64::try_from(seq.get()).unwrap())
            }
            Tamper::Content { id, .. } => {
                let sql = "UPDATE contents SET bytes = CAST(bytes || '!' AS BLOB)
                           WHERE run = ?1 AND content = ?2 AND part = 0";
                sqlx::query(sql).bind(run).bind(i64::from(id.get()))
            }
            Tamper::DropContent { id, .. } => {
                sqlx::query("DELETE FROM contents WHERE run = ?1 AND content = ?2")
                    .bind(run)
                    .bind(i64::from(id.get()))
            }
            Tamper::Header { .. } => {
                let sql = "UPDATE contents SET bytes = CAST(bytes || ' ' AS BLOB)
                           WHERE run = ?1 AND content = 0";
                sqlx::query(sql).bind(run)
            }
            Tamper::Head { .. } => {
                sqlx::query("UPDATE runs SET head = zeroblob(32) WHERE run = ?1").bind(run)
            }
            Tamper::Status { .. } => {
                sqlx::query("UPDATE runs SET state = state || '!' WHERE run = ?1").bind(run)
            }
        };
        let done = query.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Some(done.rows_affected() == 1)
    }
}

async fn check(faulty: bool) {
    let harness = Folder {
        folder: tempfile::tempdir().unwrap(),
        faulty,
    };
    let report = run_all(&harness).await;
    assert!(
        report
            .cases
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::Passed),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    check(false).await;
}

#[tokio::test]
async fn sqlite_conforms_on_one_thread_below_a_faulty_store() {
    check(true).await;
}
