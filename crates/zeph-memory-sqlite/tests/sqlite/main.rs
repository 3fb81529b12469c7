//! Tests of the store on real files, in one program.

#![allow(clippy::unwrap_used)]

mod conformance;
mod files;
mod fixtures;
mod limits;
mod log;
mod owners;
mod writing;

mod damage;
#[cfg(unix)]
mod rights;
mod view;
