//! Clock: wall-clock time that never decreases.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use zeph_graph::Timestamp;

/// Reads the wall clock once and adds monotonic time, so that the run's time never decreases.
///
/// Not tokio's clock, which a test can pause while this driver blocks its thread.
#[derive(Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    anchor: Instant,
}

impl Clock {
    /// A wall clock before 1970 counts as 1970.
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            wall: Timestamp::ZERO.after(since.unwrap_or_default()),
            anchor: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall.after(self.anchor.elapsed())
    }
}
