//! Model: a naive reference of what a run does, written apart from the machine.
//!
//! No queues, no counters, no timer structure: every question is answered by looking at all tasks
//! again. It predicts the state of each task, the live timers, the end of the run and which tasks may
//! start; where the machine is free to choose (jitter, the number of a question, which of several
//! spoilt parents is named) it accepts what is in range.

mod lifecycle;

mod attempt_calls;
mod clock;
mod events;
mod outcome;

mod agree;
mod start;

pub use lifecycle::{Gone, Life, Model, Phase, Stand, Until};
