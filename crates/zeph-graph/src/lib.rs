//! The task graph model: ids, tasks, states, records, and the validation of untrusted graphs.
//!
//! Data and pure functions; no clock, no thread, no random source, no runtime. A [`Task`] is a
//! definition. A [`TaskGraph`] holds tasks and their dependencies and is valid by construction. A
//! [`TaskState`] is the state of a task in a run. A [`Record`] is one entry of a run's journal.

mod add_error;
mod answered_by;
mod id;
mod time;
mod words;

mod budget;
mod fallback;
mod params;
mod patches;
mod rules;
mod task;

mod graph;
mod group;
mod lane;
mod links;
mod many;
mod topology;

mod policy;
mod record;
mod state;

pub mod picture;
pub mod wire;

pub use add_error::AddError;
pub use answered_by::AnsweredBy;
pub use budget::{Budget, Spend, Spent, Usd};
pub use graph::{MAX_NAME_BYTES, MAX_TASKS, TaskGraph};
pub use group::{BadGroup, Group, OnConflict};
pub use id::{Attempt, BadRunId, ContentId, QuestionId, ReservationId, RunId, Seq, TaskId};
pub use lane::{Lane, LaneId};
pub use links::Links;
pub use params::Params;
pub use policy::{Header, OverBudget, Policy, RunLimits};
pub use record::{
    Answer, AttemptEnd, AttemptOutcome, EndingWhy, Entry, ManualEnd, Record, RunChange, TaskEnd,
    TaskOutcome,
};
pub use rules::{
    AnswerKind, Approval, AskFailure, Effect, FailureAnswer, Foreach, ItemFailure, LaneUse,
    OnFailure, Question, Retry, Trigger,
};
pub use state::{
    AskWhy, CancelWhy, CutHow, CutWhy, Fault, Output, RunEnd, RunState, SkipWhy, SuppliedWhy,
    TaskState,
};
pub use task::{Rules, Task, Work};
pub use time::Timestamp;
pub use topology::{Topology, bottom_levels, expected_ms};
pub use words::UnknownWord;

#[cfg(test)]
mod tests;
