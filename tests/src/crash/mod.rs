//! Crashes of the real binary: it is killed at random moments, and what it left is checked.
//!
//! A [`trial`] is one run of a random [`plan`], killed and resumed until it ends. Each command of the
//! plan writes down that it began and that it came to its end ([`counter`]); the [`ledger`] compares
//! that with what the binary said, before it was killed and ever since. [`victim`] is the binary.

pub mod binary;

pub mod counter;
pub mod plan;
pub mod victim;

pub mod ledger;

pub mod trial;
