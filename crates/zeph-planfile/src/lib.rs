//! Plan files: graphs that people write as TOML, JSON or YAML, with parameters and expressions.
//!
//! [`Plan::load`] reads a text and reports all its problems at once. [`Plan::bind`] gives the parameters
//! their values, and [`BoundPlan::graph`] returns the graph to run. [`Templated`] wraps an executor: before
//! each attempt it evaluates the expressions that use outputs of other tasks.
//!
//! # Examples
//! ```
//! use std::collections::BTreeMap;
//! use zeph_planfile::{Format, Plan};
//!
//! let plan = Plan::load(r#"
//!     goal = "Count the commits since ${{ params.since }}"
//!     [params]
//!     since = "7 days ago"
//!     [tasks.log]
//!     run = ["git", "log", "--oneline", "--since", "${{ params.since }}"]
//!     [tasks.count]
//!     needs = ["log"]
//!     run = ["wc", "-l"]
//!     stdin = "${{ tasks.log.stdout }}"
//! "#, Format::Toml, "report.toml")?;
//! let graph = plan.bind(&BTreeMap::new())?.graph()?;
//! assert_eq!(graph.metadata()["goal"], "Count the commits since 7 days ago");
//! assert_eq!(graph.len(), 2);
//! # Ok::<(), zeph_planfile::Diagnostics>(())
//! ```

pub mod code;
mod fields;
mod foreign;
mod format;

mod expression;
mod references;
mod template;

mod bounds;
mod budget;
mod earlier;
mod env_files;
mod files;
mod group;
mod include;
mod lanes;
mod param;
mod task;

mod scope;

mod bind;
mod lower;
mod matrix;
mod plan;
mod schema;
mod starter;
mod sub_reads;
mod subplan;

mod templated;
mod values;
mod warnings;

pub use bind::BoundPlan;
pub use files::others_write;
pub use format::{Format, MAX_PLAN_BYTES};
pub use param::{Param, ParamKind};
pub use plan::Plan;
pub use schema::schema;
pub use starter::starter;
pub use templated::{Templated, inner_params, is_judged};
pub use values::{BadMetadata, RunValues};
pub use zeph_diagnostics::{Diagnostic, Diagnostics, Source};
