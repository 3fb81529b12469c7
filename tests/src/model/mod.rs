//! Model: a naive reference implementation of a run, independent of the scheduler.
//!
//! The model has no queues, no counters and no timer structure: each query scans all tasks. It predicts the
//! state of each task, the live timers, the end of the run and which tasks may start. Where the scheduler is
//! free to choose (jitter, the number of a question, which of several failed parents is named), the model
//! accepts every allowed value.

mod lifecycle;

mod attempt_calls;
mod by_hand;
mod clock;
mod events;
mod fallback;
mod items;
mod outcome;

mod agree;
mod start;

pub use lifecycle::{Life, Model, Phase, Stage, TaskEnd, Until};
