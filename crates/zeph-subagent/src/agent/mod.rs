//! Agents: what a definition says, what can be wrong with it, and the set of those that a host has.

mod catalog;
mod check;
mod def;
mod defect;
mod near;

#[cfg(feature = "markdown")]
mod markdown;

pub use catalog::{AgentCatalog, MAX_AGENTS};
pub use def::{AgentLimits, AgentOutput, SubAgentDef};
pub(crate) use defect::show;
pub use defect::{AgentCode, AgentDefect, AgentDefects, Spot};
#[cfg(feature = "markdown")]
pub use markdown::{AgentReader, MAX_AGENT_BYTES};
