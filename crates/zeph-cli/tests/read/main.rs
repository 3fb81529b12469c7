//! The commands that show runs, on real databases: output and exit codes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a report")]

mod kit;

mod asking;
mod caring;
mod databases;
mod logs;
mod looking;
mod nasty;
mod pasting;
mod verifying;
