//! The gate: every check of this repository, one line a step.

fn main() {}
