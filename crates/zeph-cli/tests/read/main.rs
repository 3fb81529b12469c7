//! The commands that look at runs, on real databases: what they print, and how they end.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a report")]

mod kit;

mod asking;
mod databases;
mod logs;
mod looking;
mod nasty;
mod verifying;
