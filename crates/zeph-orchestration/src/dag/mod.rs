//! The synchronous driver: a graph, closures, and a crank to turn.
//!
//! `scheduler` is the contract, `turn` the crank, `external` the form in which the caller does the
//! work. Nothing here knows an async runtime.

mod scheduler;
mod task;
mod turn;

mod answer;
mod external;
mod outcome;

mod assignment;
mod body;

mod clock;
mod contents;
mod inbox;
mod pool;
mod stage;
mod stop;

pub use answer::Reply;
pub use assignment::Assignment;
pub use body::{Body, BodyResult};
pub use external::Reporter;
pub use outcome::Outcome;
pub use scheduler::DagScheduler;
pub use task::DagTask;
