//! Plans of models: defective documents and all that is wrong with each, repairs, limits, any bytes.

#[path = "plans/support.rs"]
mod support;

#[path = "plans/any.rs"]
mod any;
#[path = "plans/defects.rs"]
mod defects;
#[path = "plans/file.rs"]
mod file;
#[path = "plans/ladder.rs"]
mod ladder;
#[path = "plans/large.rs"]
mod large;
