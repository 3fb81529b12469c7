//! The suite of the port passes on Postgres, with damage done by a second connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Connection as _;
use tokio::sync::Mutex;
use zeph_memory::conformance::{Harness, Outcome, Tamper, run_all};
use zeph_memory::{FaultyStore, RawGraphStore, StoreError};
use zeph_memory_postgres::{Address, PostgresStore};

use crate::server::{self, Server};

struct Databases {
    server: &'static Server,
    places: Mutex<BTreeMap<String, Address>>,
    faulty: bool,
}

impl Databases {
    async fn address(&self, place: &str) -> Address {
        let mut places = self.places.lock().await;
        if let Some(address) = places.get(place) {
            return address.clone();
        }
        let address = self.server.database().await;
        places.insert(place.to_owned(), address.clone());
        address
    }
}

#[async_trait]
impl Harness for Databases {
    async fn open(&self, place: &str) -> Result<Arc<dyn RawGraphStore>, StoreError> {
        let store = PostgresStore::open(&self.address(place).await).await?;
        Ok(if self.faulty {
            Arc::new(FaultyStore::new(store))
        } else {
            Arc::new(store)
        })
    }

    async fn tamper(&self, place: &str, damage: &Tamper) -> Option<bool> {
        let mut connection = self.server.raw(&self.address(place).await).await;
        let run = damage.run().as_str();
        let query = match damage {
            Tamper::Payload { seq, .. } => {
                let sql = "UPDATE journal SET payload = payload || ' ' WHERE run = $1 AND seq = $2";
                sqlx::query(sql).bind(run).bind(seq.get().cast_signed())
            }
            Tamper::DropRow { seq, .. } => {
                sqlx::query("DELETE FROM journal WHERE run = $1 AND seq = $2")
                    .bind(run)
                    .bind(seq.get().cast_signed())
            }
            Tamper::Content { id, .. } => {
                let sql = "UPDATE contents SET bytes = bytes || '!' WHERE run = $1 AND content = $2 AND part = 0";
                sqlx::query(sql).bind(run).bind(i64::from(id.get()))
            }
            Tamper::DropContent { id, .. } => {
                sqlx::query("DELETE FROM contents WHERE run = $1 AND content = $2")
                    .bind(run)
                    .bind(i64::from(id.get()))
            }
            Tamper::Header { .. } => {
                let sql = "UPDATE contents SET bytes = bytes || ' ' WHERE run = $1 AND content = 0";
                sqlx::query(sql).bind(run)
            }
            Tamper::Head { .. } => {
                let sql = "UPDATE runs SET head = decode(repeat('00', 32), 'hex') WHERE run = $1";
                sqlx::query(sql).bind(run)
            }
            Tamper::Status { .. } => {
                sqlx::query("UPDATE runs SET state = state || '!' WHERE run = $1").bind(run)
            }
        };
        let done = query.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Some(done.rows_affected() == 1)
    }
}

async fn check(faulty: bool) {
    let Some(server) = server::shared() else {
        return;
    };
    let harness = Databases {
        server,
        places: Mutex::default(),
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
async fn postgres_conforms() {
    check(false).await;
}

#[tokio::test]
async fn postgres_conforms_on_one_thread_below_a_faulty_store() {
    check(true).await;
}
