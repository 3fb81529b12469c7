//! Agents: definitions, their checks, and the catalogue.

mod catalog;
mod check;
pub mod code;
mod def;

#[cfg(feature = "markdown")]
mod reader;

pub use catalog::{AgentCatalog, MAX_AGENTS};
pub use def::{AgentLimits, AgentOutput, SubAgentDef};
#[cfg(feature = "markdown")]
pub use reader::{AgentReader, MAX_AGENT_BYTES};
