//! Replay: repeats a recorded attempt with the recorded replies, and compares.
//!
//! A replay needs no network, costs nothing and changes nothing. A [`Recording`] answers in place of
//! models and tools. The attempt's journal grants what it granted before, and compares each note.

mod attempt;
mod compare;
mod journal;
mod recording;

pub use attempt::{RecordedAttempt, RecordedEnd, ReplayOutcome, replay_attempt};
pub use compare::{Difference, DifferenceIn};
pub use recording::Recording;
pub(crate) use recording::unwrapped;
