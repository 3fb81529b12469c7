//! Tests that cross the storeys: simulation, scenarios, crash loops.
//!
//! [`lab`] drives a machine in lockstep with a reference [`model`] and an [`audit`] of its journal,
//! and checks the [`invariants`] after every event. [`sim`] feeds it random runs, [`scenario`]
//! written ones. [`crash`] kills the real binary.

pub mod broken;
pub mod facts;
pub mod happening;
pub mod rng;

pub mod audit;
pub mod invariants;
pub mod model;

pub mod lab;

pub mod scenario;
pub mod sim;

pub mod crash;
