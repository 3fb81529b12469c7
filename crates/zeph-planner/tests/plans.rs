//! Plans of models: defective documents and all that is wrong with each, repairs, limits, any bytes.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

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
#[path = "plans/file.rs"]
mod file;
#[path = "plans/flow.rs"]
mod flow;
#[path = "plans/ladder.rs"]
mod ladder;
#[path = "plans/large.rs"]
mod large;
