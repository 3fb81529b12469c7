//! Replay: a recorded attempt is made once more, by what its model said then, and compared.
//!
//! Nothing is asked over a network, nothing is spent and nothing is changed. A [`Tape`] stands in for
//! models and tools; the attempt's journal grants what it granted then, and compares each note with
//! the recorded one.

mod attempt;
mod compare;
mod journal;
mod tape;

pub use attempt::{Recorded, RecordedEnd, Replayed, replay_attempt};
pub use compare::{Difference, Place};
pub use tape::Tape;
