//! Commands on the real system: outcomes and stopping.
#![allow(clippy::unwrap_used)]

mod artifacts;
mod outcomes;
mod stopping;
mod support;
