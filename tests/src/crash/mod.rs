//! Crashes of the real binary: it is killed at random moments, and then its database is checked.
//!
//! A [`trial`] is one run of a random [`plan`], killed and resumed until it ends. Each command of the
//! plan appends its start and its end to a file ([`counter`]); the [`ledger`] compares that file with
//! everything that the binary has printed and stored. [`victim`] is the binary's process.

pub mod binary;

pub mod counter;
pub mod plan;
pub mod victim;

pub mod ledger;

pub mod trial;
