//! Agents: definitions, their checks, and the catalogue.

mod catalog;
mod check;
pub mod code;
mod def;
mod program;

#[cfg(feature = "markdown")]
mod reader;

pub use catalog::{AgentCatalog, MAX_AGENTS};
pub use def::{AgentLimits, AgentOutput, SubAgentDef};
pub use program::{AgentProgram, ProgramPrompt};
#[cfg(feature = "markdown")]
pub use reader::{AgentReader, MAX_AGENT_BYTES};
