//! The task graph model: ids, tasks, states, records and the one door for untrusted graphs.

mod id;
mod time;

pub use id::{Attempt, BadRunId, ContentId, QuestionId, RunId, Seq, TaskId};
pub use time::Timestamp;
