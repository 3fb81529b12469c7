//! Lanes: concurrency limits with capacity and weight.

use std::sync::Arc;

/// A named limit that tasks share: at most `capacity` units are occupied at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The name, unique in its graph.
    pub name: Arc<str>,
    /// Units; at least 1.
    pub capacity: u32,
}

/// The position of a lane in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(u32);

impl LaneId {
    /// The lane at a position.
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }

    /// The position.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
