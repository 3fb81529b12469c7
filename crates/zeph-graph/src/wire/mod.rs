//! The wire: what graphs, headers and records look like as JSON, and the one door for untrusted graphs.
//!
//! The only place of this crate that names a JSON library. Wire types are versioned and apart from
//! the core types, so that neither ties the other down.

mod ids;
mod rules;
mod spec;
mod words;

mod export;
mod import;

mod check;
pub mod code;
mod limits;

mod answer;
mod params;

mod header;
mod record;

mod diff;

pub use answer::BadAnswer;
pub use diff::diff;
pub use header::{BadHeader, decode_header, encode_header};
pub use limits::Limits;
pub use record::{BadRecord, decode, encode};
pub use rules::{
    AnswerSpec, ApproveDefault, ApproveSpec, AskDefault, BudgetSpec, LaneUseSpec, OnFailureSpec,
    QuestionDefault, QuestionSpec, RetrySpec, WorkSpec,
};
pub use spec::{BadSpec, GraphSpec, LaneSpec, TaskSpec, VERSION};
pub use zeph_diagnostics::{Code, Diagnostic, Diagnostics};
