//! The wire format: graphs, headers and records as JSON, and the validation of untrusted graphs.
//!
//! The only module of this crate that names a JSON library. A record is stored as it is; a graph, whose
//! tasks name each other by position, has wire types with names.

mod forms;
mod ids;
mod revision;
mod rules;
mod spec;

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
pub(crate) use forms::{approval_default, is_default, micros, no_fields};
pub use header::{BadHeader, decode_header, encode_header};
pub use limits::Limits;
pub use record::{BadRecord, decode, encode};
pub use revision::{Revision, revision};
pub use rules::{AskDefault, LaneUseSpec, OnFailureSpec, QuestionDefault, QuestionSpec, WorkSpec};
pub use spec::{BadSpec, GraphSpec, LaneSpec, TaskSpec, VERSION};
pub use zeph_diagnostics::{Code, Diagnostic, Diagnostics};
