//! OrchestrationConfig: defaults, limits and layered sources.
//!
//! [`OrchestrationConfig`] is a plain value that is passed in once. [`Layers`] makes one from flags,
//! environment variables and TOML files that the caller has read; this crate reads none of them itself.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//! use zeph_config::Layers;
//!
//! let file = "max_parallel = 4\nattempt_timeout = \"5m\"\n";
//! let resolved = Layers::new()
//!     .project_file(file, "zeph.toml")
//!     .env([("ZEPH_MAX_PARALLEL", "2")])
//!     .resolve()?;
//! assert_eq!(resolved.config.max_parallel, 2);
//! assert_eq!(resolved.config.attempt_timeout, Some(Duration::from_secs(300)));
//! let origin = resolved.origin_of("attempt_timeout");
//! assert_eq!(origin.as_deref(), Some("zeph.toml:2:19"));
//! # Ok::<(), zeph_config::Diagnostics>(())
//! ```

pub mod code;
mod commands;
mod config;
mod kind;
mod layers;
mod mcp;
mod named;
mod settings;

pub use commands::{ArgumentConfig, ArgumentKind, CommandConfig};
pub use config::{
    BudgetConfig, HooksConfig, LlmConfig, OrchestrationConfig, PlanConfig, RetryConfig, ToolsConfig,
};
pub use layers::{Layer, Layers, Resolved, Withheld, WithheldReason};
pub use mcp::{McpApproval, McpConfig, McpTransport};
pub use settings::{env_name, keys};
pub use zeph_diagnostics::{Diagnostic, Diagnostics};
pub use zeph_graph::OverBudget;
