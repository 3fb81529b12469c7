//! Sim: seeded random runs of the scheduler, checked after every event.
//!
//! The seed determines the graph and its rules ([`graphs`]), the policy, the mix of events ([`mix`]), and
//! each event ([`world`]). After a number of random events all executors report and all questions are
//! answered, and the run must end. A failure is reported with its seed, which replays the run with the full
//! trace ([`trace`]).

pub mod campaign;
pub mod damage;
pub mod graphs;
pub mod mix;
pub mod trace;
pub mod world;

mod attempt_calls;
mod drain;
mod random_events;
