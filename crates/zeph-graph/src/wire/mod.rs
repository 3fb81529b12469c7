//! The wire format: graphs, headers and records as JSON, and the validation of untrusted graphs.
//!
//! The only module of this crate that names a JSON library. Wire types are versioned and separate from the
//! core types, so that each can change without the other; only ids, times and the enums of words have the
//! same form in both.

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
