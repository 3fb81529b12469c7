//! The asynchronous engine: saves the decisions of many runs, then performs them.
//!
//! An [`Engine`] is one tokio task that owns its active runs. It passes every event to the run's
//! [`Scheduler`](zeph_scheduler::Scheduler), writes the decisions of all runs as one transaction, and
//! only then starts attempts and answers callers. A submitted run survives its process:
//! [`Engine::resume`] continues it, in this process or in another one.

pub mod driver;

mod engine;
mod event;
mod handle;
mod report;
mod request;
mod retry;
mod snapshot;
mod stored_errors;
mod submission;

mod actor;
mod amendments;
mod answers;
mod cancel;
mod control;
mod inbox;
mod labels;
mod question;
mod view;

mod active_run;
mod amend;
mod attempt;
mod attempt_journal;
mod commit;
mod content;
mod core;
mod core_config;
mod core_thread;
mod deadlines;
mod decisions;
mod group;
mod growing_log;
mod idle;
mod in_flight;
mod interrupted;
mod lease;
mod line_buffer;
mod message;
mod named_lock;
mod news;
mod parents;
mod prepare;
mod restore;
mod waiting_reservations;
mod write;

mod clock;
mod error;
mod origin;
mod owner;
mod run_slot;
mod same_inputs;
mod shared_lane;
mod socket;
mod take_over;

pub use actor::Actor;
pub use amendments::{AmendmentView, GraphChange};
pub use answers::{AnswerView, ManualEndView};
pub use cancel::cancel_run;
pub use control::{Delivery, ask, replace};
pub use engine::{Engine, EngineBuilder};
pub use error::RuntimeError;
pub use event::{Events, RunEvent};
pub use growing_log::LogDraft;
pub use handle::RunHandle;
pub use in_flight::{cancel_grace_for, executor_grace};
pub use inbox::{BadRequest, PostedRequest, posted_requests};
pub use labels::{BadLabel, of as labels, set_label};
pub use lease::owner_of;
pub use owner::Owners;
pub use question::{Accepts, QuestionView, value_text};
pub use report::{RunReport, TaskReport};
pub use request::{AttributedRequest, Request};
pub use retry::{RetryPlan, RunsAgain};
pub use snapshot::RunSnapshot;
pub use submission::{Limits, Submission};
pub use view::{AttemptView, NoteView, RunView};
