//! The sans-IO scheduler of one run: inputs in, records and actions out.
//!
//! [`Scheduler`] decides, and a driver performs. The scheduler reads no clock, draws no random numbers,
//! starts no thread and does no I/O: time is an argument, jitter is a function of the seed. The same
//! header and the same inputs in the same order give the same journal, byte for byte.
//!
//! - `scheduler`, `input`, `batch`: the public contract.
//! - `machine`, `ready`, `timers`, `budget_ledger`: the state.
//! - `apply` is the only mutator of that state by records, `transitions` the table of allowed records.
//! - `lifecycle`, `propagate`, `outcome`, `strategy`, `question`, `cancel`, `attempt_api`, `growth`,
//!   `items`: the decisions, one file for each group of events.
//! - `recover`, `replay`, `snapshot`, `explain`, `event`: reading a run.

mod batch;
mod input;
mod scheduler;

mod event;
mod explain;
mod recover;
mod replay;
mod snapshot;

mod attempt_api;
mod by_hand;
mod cancel;
mod fallback;
mod growth;
mod items;
mod lifecycle;
mod outcome;
mod prepare;
mod propagate;
mod question;
mod strategy;

mod apply;
mod budget_ledger;
mod machine;
mod transitions;

mod jitter;
mod ready;
mod timers;

pub use attempt_api::Refusal;
pub use batch::{Action, Batch};
pub use budget_ledger::{Account, BudgetFit};
pub use event::{Event, EventLog};
pub use explain::{Explanation, Held};
pub use growth::{Amendment, ByHand, Patches, Proposer};
pub use input::{Input, InputOutcome, Prepared, Scope};
pub use items::Items;
pub use machine::{AttemptCounts, Counts, OpenQuestion};
pub use prepare::Reused;
pub use recover::Corrupt;
pub use replay::{Divergence, replay};
pub use scheduler::{Scheduler, TaskView};
pub use snapshot::Snapshot;
pub use timers::{Timer, TimerKind};
