//! Sim: seeded random runs of the machine, each checked after every event.
//!
//! A seed decides everything: the graph and its rules ([`graphs`]), the policy, how this run mixes
//! events ([`mix`]), and then, event by event, what happens ([`world`]). After a number of wild
//! events people and executors answer, and the run must end. A failure is told by its seed, and that
//! seed replays it, with the full trace ([`trace`]).

pub mod campaign;
pub mod damage;
pub mod graphs;
pub mod mix;
pub mod trace;
pub mod world;

mod attempt_calls;
mod drain;
mod random_events;
