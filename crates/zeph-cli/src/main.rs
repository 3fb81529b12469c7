//! The terminal tool `zeph`.

fn main() {}
