//! Goals: from a sentence to a plan, to tasks that run, to one answer.

mod compile;
mod roles;

pub use compile::PlanFiles;
pub use roles::{Roles, run_seed};
