//! Agents: their definitions, the catalogue of them, and the router that chooses one for a task.
//!
//! A [`SubAgentDef`] describes one agent. An [`AgentCatalog`] contains the agents of a host, and an
//! [`AgentRouter`] chooses one of them for a task. A [`Tool`] is a function that an agent can call;
//! `tool_fn` (feature `tool-fn`) makes one from a closure. The feature `markdown` adds a reader of
//! definitions in files.

mod agent;
pub mod router;
mod tool;

pub use agent::{
    AgentCatalog, AgentLimits, AgentOutput, AgentProgram, MAX_AGENTS, ProgramPrompt, SubAgentDef,
    code,
};
#[cfg(feature = "markdown")]
pub use agent::{AgentReader, MAX_AGENT_BYTES};
pub use async_trait::async_trait;
pub use router::{AgentRouter, Route, RouteRequest};
/// The crate of the derive macro `JsonSchema`, for the arguments of `tool_fn`.
#[cfg(feature = "tool-fn")]
pub use schemars;
#[cfg(feature = "tool-fn")]
pub use tool::tool_fn;
pub use tool::{
    Tool, ToolOutput, conformance as tool_conformance, end_is_unknown, is_tool_name, with_effect,
};
pub use zeph_diagnostics::{Diagnostic, Diagnostics};
// The types in the signatures of `Tool`.
pub use zeph_executor::{TaskContext, TaskError};
pub use zeph_graph::Effect;
