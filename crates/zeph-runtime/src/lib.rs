//! The driver: saves records, then performs actions, for many runs.
