//! Goals, from a sentence to an answer: confirmed, edited, rejected, over budget, without a plan.
#![cfg(feature = "planner")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is a report")]

#[path = "goal/script.rs"]
mod script;

#[path = "goal/confirm.rs"]
mod confirm;

#[path = "goal/crash.rs"]
mod crash;

#[path = "goal/budget.rs"]
mod budget;

#[path = "goal/early.rs"]
mod early;

#[path = "goal/early_faults.rs"]
mod early_faults;

#[path = "goal/long.rs"]
mod long;
#[path = "goal/replay.rs"]
mod replay;

#[path = "goal/failure.rs"]
mod failure;

#[path = "goal/models.rs"]
mod models;

#[path = "goal/replan.rs"]
mod replan;

#[path = "goal/fallback.rs"]
mod fallback;

#[path = "goal/patience.rs"]
mod patience;
