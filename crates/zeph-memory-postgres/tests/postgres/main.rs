//! Tests of the store on a real server, in one program.

#![allow(clippy::unwrap_used)]

mod conformance;
mod damage;
mod fixtures;
mod leases;
mod lost_commits;
mod news;
mod opening;
mod restarts;
mod server;
mod writing;
