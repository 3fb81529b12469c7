//! The executor port: the interface between the engine and the code that does a task's work.
//!
//! An [`Executor`] runs one attempt of a task. The engine passes it a [`TaskContext`] and a
//! [`TaskInput`]; it returns a [`TaskOutput`] or a [`TaskError`]. A [`Registry`] finds executors by
//! action name or by task name.
//!
//! # Examples
//! ```
//! use zeph_executor::{Registry, TaskError, closure};
//!
//! #[derive(serde::Deserialize)]
//! struct Greet { name: String }
//!
//! let mut registry = Registry::new();
//! registry.register("greet", closure::action(|input: Greet| async move {
//!     Ok::<_, TaskError>(format!("hello {}", input.name))
//! }))?;
//! assert!(registry.get("greet").is_some());
//! # Ok::<(), zeph_executor::AlreadyRegistered>(())
//! ```

mod artifact;
mod context;
mod error;
mod executor;
mod journal;
mod logs;
mod output;
mod purpose;
mod record;
mod registry;
mod stop;
mod verdict;

pub mod closure;
pub mod conformance;
pub mod double;

pub use artifact::Artifact;
pub use context::{TaskContext, TaskContextBuilder};
pub use error::{ErrorClass, TaskError};
pub use executor::{EndReason, Executor, Item, Parent, ParentState, Prepared, TaskInput};
pub use journal::{
    Journal, NoJournal, Note, NoteKind, Proposal, Proposed, Redact, Reservation, ReservationRequest,
};
pub use logs::{DEFAULT_LOG_BYTES, LogStream, Logs, NoProgress, Progress};
pub use output::{MAX_BLOB_BYTES, MAX_VALUE_BYTES, ResultKey, TaskOutput, check_value_size};
pub use purpose::{Dependant, Purpose};
pub use record::TaskErrorRecord;
pub use registry::{AlreadyRegistered, Registry};
pub use stop::Stop;
pub use verdict::{REJECTED, Verdict};

pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use tokio_util::sync::CancellationToken;
pub use zeph_graph::wire::{GraphSpec, TaskSpec};
pub use zeph_graph::{Attempt, Budget, ReservationId, RunId, Spend, TaskId};
