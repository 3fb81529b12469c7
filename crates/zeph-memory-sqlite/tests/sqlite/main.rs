//! Tests of the store on real files, in one program: kit first, then by topic.

#![allow(clippy::unwrap_used)]

mod kit;

mod conformance;

mod files;

mod writing;

mod owners;

mod limits;

#[cfg(unix)]
mod rights;

mod damage;

mod view;
