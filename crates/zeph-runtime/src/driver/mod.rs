//! Driving rules: what a driver of the [`Scheduler`](zeph_scheduler::Scheduler) does with the reports,
//! answers and definitions of a run.
//!
//! Two drivers share them: the asynchronous [`Engine`](crate::Engine), which writes every decision to
//! a store, and the blocking `DagScheduler` of the facade, which keeps a run in memory. Nothing here
//! does I/O, reads a clock or knows an async runtime. A driver
//!
//! 1. interns what attempts return in [`Contents`], and passes the scheduler ids only;
//! 2. hands every end of an attempt to [`deliver`], of a preparation to [`deliver_prepared`], and every answer
//!    to [`answer`];
//! 3. asks [`Role::of`] what an attempt does of a task that runs for each item of a list;
//! 4. performs the actions of a batch only after the batch is saved;
//! 5. keeps the error texts of unfinished tasks in [`LastErrors`].

mod answer;
mod by_hand;
mod contents;
mod definition;
mod last_errors;
mod report;
mod role;

pub(crate) use answer::HAPPENED;
pub use answer::{AnswerError, GivenReply, Reply, answer, check_answer};
pub use by_hand::{BadResult, GivenEnd, check_result, give_end};
pub use contents::Contents;
pub use definition::{PREPARE, action_of, defined_output, defined_value, needed_action};
pub use last_errors::{LastErrors, timeout_after};
pub use report::{Failure, PrepareReport, Report, ReportResult, deliver, deliver_prepared};
pub use role::{Role, count_items, failed_items};
