//! The driver: saves records, then performs actions, for many runs.
//!
//! An [`Engine`] is one tokio task that owns its runs. It tells the pure machines what happened, writes
//! what they decide as one transaction, and only then calls executors and answers callers. A run that
//! is submitted survives the process: [`Engine::resume`] goes on with it, here or elsewhere.

mod engine;
mod event;
mod handle;
mod request;
mod submission;

mod control;
mod view;

mod answer;
mod attempt;
mod commit;
mod content;
mod core;
mod door;
mod feed;
mod flight;
mod live;
mod write;

mod clock;
mod error;
mod owner;
mod reserve;
mod socket;

pub use answer::QuestionView;
pub use control::{Delivery, ask};
pub use engine::{Engine, EngineBuilder};
pub use error::RuntimeError;
pub use event::{Events, RunEvent};
pub use handle::{RunHandle, RunReport, RunSnapshot, TaskReport};
pub use owner::Owners;
pub use request::Request;
pub use submission::{Limits, Submission};
pub use view::{AttemptEnd, AttemptView, NoteView, RunView};
