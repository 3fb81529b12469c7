//! `RawGraphStore` on Postgres: one database for the runs of many hosts, with a timed lease for each owner.
//!
//! [`PostgresStore::open`] creates the tables, in a schema of their own, or opens existing ones. One connection
//! writes, one renews the leases, a few read. A commit is one transaction of two statements for any number of
//! runs and rows: the first locks its runs, in the order of their names, and the store checks owner, position and
//! chain; the second writes all of it. It is on the disk of the server when the call returns.
//!
//! An owner keeps its open runs as long as it renews its lease, by the clock of the server. Another owner can
//! adopt them when the lease has lapsed or was released; from then on the former one writes nothing to them.
//!
//! # Examples
//! ```no_run
//! use zeph_graph::Timestamp;
//! use zeph_memory::{Chain, Commit, NewRun, RawGraphStore, Row, RunStatus};
//! use zeph_memory_postgres::PostgresStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = PostgresStore::open(&"postgres://ada@db.example/runs".parse()?).await?;
//! let now = Timestamp::from_micros(1_700_000_000_000_000);
//! let fence = store.claim("example", now).await?;
//! let new = NewRun::new("k7m2xq9d".parse()?, "A first run", now, "{}");
//! let mut chain = Chain::genesis(&new);
//! let rows = vec![Row::new(now, r#"{"type":"readied","task":0}"#)];
//! store.commit(&Commit::one(chain.seal(rows, RunStatus::open("running")).creating(new)), fence).await?;
//! assert_eq!(store.load(chain.run()).await?.chain, chain);
//! store.close().await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod append;
mod connect;
mod lease;
mod news;
mod options;
mod postgres_error;
mod reader;
mod schema;
mod side_tables;
mod store;
mod text;
mod writer;

pub use address::{Address, BadAddress};
pub use options::PostgresOptions;
pub use schema::SCHEMA_VERSION;
pub use store::PostgresStore;
