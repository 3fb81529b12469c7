//! `RawGraphStore` on SQLite: one file, readable with `sqlite3`, durable to the last acknowledged commit.
//!
//! [`SqliteStore::open`] creates the file or opens an existing run database; it refuses any other file. One
//! connection writes, a few read; readers and writers do not wait for each other. Several processes may
//! use one file, each for runs of its own; their commits wait for each other. A commit is one
//! transaction of at most three statements for any number of runs and rows (four when it settles
//! requests), and is on the disk when the call returns.
//!
//! The database page of the book describes the tables.
//!
//! # Examples
//! ```
//! use zeph_graph::Timestamp;
//! use zeph_memory::{Chain, Commit, NewRun, RawGraphStore, Row, RunStatus};
//! use zeph_memory_sqlite::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("runs.db");
//! let now = Timestamp::from_micros(1_700_000_000_000_000);
//!
//! let store = SqliteStore::open(&path).await?;
//! let fence = store.claim("example", now).await?;
//! let new = NewRun::new("k7m2xq9d".parse()?, "A first run", now, "{}");
//! let mut chain = Chain::genesis(&new);
//! let rows = vec![Row::new(now, r#"{"type":"readied","task":0}"#)];
//! store.commit(&Commit::one(chain.seal(rows, RunStatus::open("running")).creating(new)), fence).await?;
//! store.close().await?;
//!
//! let store = SqliteStore::open_read_only(&path).await?;
//! assert_eq!(store.load(chain.run()).await?.chain, chain);
//! # Ok(())
//! # }
//! ```

mod append;
mod backup;
mod bulk;
mod connect;
mod create;
mod database_file;
mod drafts;
mod file_check;
mod inbox;
mod last_commit;
mod options;
mod reader;
mod results;
mod schema;
mod sqlite_error;
mod store;
mod writer;

pub use file_check::FileCheck;
pub use options::{SqliteOptions, Synchronous};
pub use schema::{APPLICATION_ID, OLDEST_SQLITE, SCHEMA_VERSION};
pub use store::SqliteStore;
