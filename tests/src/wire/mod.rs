//! A scripted model service that plays what services really do, and a goal that is reached over each row.
//!
//! The whole table is the third judge of `cargo xtask test-wire`; the gate runs it in a short form.

mod rows;
mod run;
mod service;
mod shapes;

pub use rows::{Row, rows};
pub use run::{Mode, play};
