//! The pure scheduling machine: inputs in, records and actions out.
//!
//! [`Scheduler`] decides; a driver does. It reads no clock, draws no random numbers, starts no thread
//! and does no I/O: time is an argument, jitter is a function of the seed. The same header and the
//! same inputs in the same order give the same journal, byte for byte.
//!
//! The files follow the events: `scheduler` is the contract, `apply` the only mutator, `admit` the
//! transition table, `outcome`, `strategy`, `question`, `spread`, `cancel`, `doors` and `life` decide.

mod batch;
mod input;
mod scheduler;

mod event;
mod explain;
mod recover;
mod replay;
mod snapshot;

mod cancel;
mod doors;
mod life;
mod outcome;
mod question;
mod spread;
mod strategy;

mod admit;
mod apply;
mod machine;

mod jitter;
mod ready;
mod timers;

pub use batch::{Action, Batch};
pub use doors::{Account, Amendment, Patches, Refusal};
pub use event::{Event, EventKind, EventLog};
pub use explain::{Explanation, Held};
pub use input::{Input, InputOutcome, Scope};
pub use machine::{Counts, OpenQuestion, Tally};
pub use recover::Corrupt;
pub use replay::{Divergence, replay};
pub use scheduler::{Scheduler, TaskView};
pub use snapshot::Snapshot;
pub use timers::{Timer, TimerKind};
