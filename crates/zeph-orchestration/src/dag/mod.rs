//! DagScheduler: the blocking driver. Runs a graph of closures on threads, with its journal in memory.
//!
//! `scheduler` is the contract, `step` the loop, `external` the form in which the caller runs the
//! attempts. The rules of driving are those of [`zeph_runtime::driver`]. Nothing here uses an async
//! runtime.

mod external;
mod scheduler;
mod step;

mod answer;
mod condition;
mod outcome;

mod attempt;
mod body;

mod clock;
mod inbox;
mod pool;
mod run;

pub use attempt::AttemptContext;
pub use body::{Body, BodyResult};
pub use external::Reporter;
pub use outcome::Outcome;
pub use scheduler::DagScheduler;
pub use zeph_runtime::driver::Reply;
