//! The store port of the engine: journals of runs as rows and bytes, behind one trait.
//!
//! "Memory" here means the durable store of runs, not an agent's memory and not RAM; the name comes from
//! the project's seed.
//!
//! A *run* is a header and an append-only *journal* of rows. A row is a small JSON text and may add
//! *contents*: larger bytes that are stored apart, so that reading a journal reads none of them. This
//! crate has no tasks: it does not interpret payloads, headers and states.
//!
//! Each run has one owner, named by the [`Fence`] of its commits; owners of different runs share a store.
//!
//! The owner keeps a [`Chain`] for each run. [`Chain::seal`] turns rows into an [`Append`], the only
//! thing that a [`RawGraphStore`] accepts, and links every row to the one before it by a hash. A store
//! checks the links when it writes and when it reads, so a gap, a fork or a flipped bit is an error
//! that names the run and the row, and never good data.
//!
//! [`MemoryStore`] is a complete store in memory. [`FaultyStore`] wraps any store and injects faults.
//! [`conformance::run_all`] checks whether another store satisfies the contract.
//!
//! # Examples
//! ```
//! use zeph_graph::Timestamp;
//! use zeph_memory::{Chain, Commit, MemoryStore, NewRun, RawGraphStore, Row, RunStatus, verify};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let now = Timestamp::from_micros(1);
//! let fence = store.claim("example", now).await?;
//!
//! let new = NewRun::new("k7m2xq9d".parse()?, "A first run", now, "{}");
//! let mut chain = Chain::genesis(&new);
//! let append = chain
//!     .seal(vec![Row::new(now, r#"{"type":"opened"}"#)], RunStatus::open("running"))
//!     .creating(new);
//! store.commit(&Commit::one(append), fence).await?;
//!
//! let stored = store.load(chain.run()).await?;
//! assert_eq!(stored.rows.len(), 1);
//! assert_eq!(stored.chain, chain);
//! assert_eq!(verify(&store, chain.run()).await?.head, chain.head());
//! # Ok(())
//! # }
//! ```

mod chain;
mod chain_check;
mod draft;
mod error;
mod faulty;
mod hash;
mod memory;
mod result;
mod row;
mod run;
mod store;
mod transfer;
mod verify;

pub mod conformance;

pub use chain::{Append, AppendStart, Chain, SealedRow, contents_hash};
pub use chain_check::{ChainCheck, StoredStatus};
pub use draft::Draft;
pub use error::StoreError;
pub use faulty::{FaultyStore, Op, StoreFault};
pub use hash::{BadChainHash, ChainHash};
pub use memory::MemoryStore;
pub use result::{KeyedResult, ResultKey};
pub use row::{Content, ContentKind, Row, StoredRow};
pub use run::{Cursor, ListQuery, NewRun, Request, RequestId, RunRow, RunStatus, RunSummary};
pub use store::{
    Commit, Fence, Lease, News, Outline, RawGraphStore, RowOutline, StoredRun, StoredTail,
};
pub use transfer::{TRANSFER_VERSION, TransferError, export_run, import_run};
pub use verify::{Verified, verify, verify_against};
