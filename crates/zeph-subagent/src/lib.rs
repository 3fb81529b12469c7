//! The executor port: who can do a task, and what it is told.
//!
//! An [`Executor`] does the work of an attempt. The driver gives it a [`TaskContext`] and a
//! [`TaskInput`]; it answers with a [`TaskOutput`] or a [`TaskError`]. Executors are found by action
//! name, or by task name, in a [`Registry`].
//!
//! A [`SubAgentDef`] says who an agent is; a host keeps its agents in an [`AgentCatalog`], and an
//! [`AgentRouter`] decides which of them does a task. With the feature `markdown` definitions are
//! read from files.
//!
//! # Examples
//! ```
//! use zeph_subagent::{Registry, TaskError, closure};
//!
//! #[derive(serde::Deserialize)]
//! struct Greet { name: String }
//!
//! let mut registry = Registry::new();
//! registry.register("greet", closure::action(|input: Greet| async move {
//!     Ok::<_, TaskError>(format!("hello {}", input.name))
//! }))?;
//! assert!(registry.get("greet").is_some());
//! # Ok::<(), zeph_subagent::AlreadyRegistered>(())
//! ```

mod context;
mod error;
mod executor;
mod journal;
mod logs;
mod output;
mod record;
mod registry;
mod stop;

pub mod closure;
pub mod conformance;
pub mod double;

mod agent;
pub mod router;

pub use agent::{
    AgentCatalog, AgentCode, AgentDefect, AgentDefects, AgentLimits, AgentOutput, MAX_AGENTS, Spot,
    SubAgentDef,
};
#[cfg(feature = "markdown")]
pub use agent::{AgentReader, MAX_AGENT_BYTES};
pub use context::{TaskContext, TaskContextBuilder};
pub use error::{ErrorClass, TaskError};
pub use executor::{Executor, Parent, ParentState, TaskInput};
pub use journal::{Journal, NoJournal, Note, NoteKind, Proposal, Redact};
pub use logs::{DEFAULT_LOG_BYTES, LogStream, Logs, NoProgress, Progress};
pub use output::{MAX_VALUE_BYTES, TaskOutput, check_value_size};
pub use record::TaskErrorRecord;
pub use registry::{AlreadyRegistered, Registry};
pub use router::{AgentRouter, Route, RouteRequest};
pub use stop::Stop;

pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use tokio_util::sync::CancellationToken;
pub use zeph_graph::wire::GraphSpec;
pub use zeph_graph::{Attempt, Budget, ReservationId, RunId, Spend, TaskId};
