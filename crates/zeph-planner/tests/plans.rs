//! Plans of models: defective answers with their problems, repairs, limits, and arbitrary bytes.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap")]

#[path = "plans/support.rs"]
mod support;

#[path = "plans/any.rs"]
mod any;
#[path = "plans/cache.rs"]
mod cache;
#[path = "plans/commands.rs"]
mod commands;
#[path = "plans/defects.rs"]
mod defects;
#[path = "plans/early.rs"]
mod early;
#[path = "plans/file.rs"]
mod file;
#[path = "plans/large.rs"]
mod large;
#[path = "plans/plan_tasks.rs"]
mod plan_tasks;
#[path = "plans/repair_loop.rs"]
mod repair_loop;
#[path = "plans/schema.rs"]
mod schema;
