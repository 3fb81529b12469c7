//! Tests that cross the layers: simulation, scenarios, crash loops.
//!
//! [`lockstep`] drives a scheduler in lockstep with a reference [`model`] and an [`audit`] of its journal,
//! and checks the [`invariants`] after every event. [`sim`] feeds it random runs, [`scenario`] scripted
//! ones. [`crash`] kills the real binary, and [`damage`] changes its files. `trace` (on Linux) lets its system
//! calls fail, and the power. `wire` (a feature) is a scripted model service.

pub mod call;
pub mod facts;
pub mod rng;
pub mod violation;

pub mod audit;
pub mod invariants;
pub mod model;

pub mod lockstep;

pub mod scenario;
pub mod sim;

pub mod crash;
pub mod damage;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod trace;

#[cfg(feature = "wire")]
pub mod wire;
