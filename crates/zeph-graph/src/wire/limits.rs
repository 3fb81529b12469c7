//! Size limits of untrusted graphs.

/// The largest graph that validation accepts. A larger one is refused, never truncated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tasks.
    pub max_tasks: usize,
    /// Tasks on the longest path from a root to a sink.
    pub max_depth: usize,
    /// Dependencies of one task.
    pub max_needs: usize,
    /// Lanes.
    pub max_lanes: usize,
}

impl Limits {
    /// For plans that people or models wrote: 100,000 tasks, 10,000 deep, 10,000 dependencies
    /// each, 1,000 lanes.
    pub const PLAN: Self = Self {
        max_tasks: 100_000,
        max_depth: 10_000,
        max_needs: 10_000,
        max_lanes: 1_000,
    };

    /// The capacity of a graph.
    pub const NONE: Self = Self {
        max_tasks: crate::MAX_TASKS,
        max_depth: usize::MAX,
        max_needs: usize::MAX,
        max_lanes: usize::MAX,
    };
}

impl Default for Limits {
    /// Four million tasks and 10,000 lanes, in any shape: a memory guard, large enough for generated graphs.
    fn default() -> Self {
        Self {
            max_tasks: 4_000_000,
            max_lanes: 10_000,
            ..Self::NONE
        }
    }
}
