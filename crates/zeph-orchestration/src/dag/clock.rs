//! Clock: the wall clock asked once, and monotonic time from there.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use zeph_graph::Timestamp;

/// Tells the time of one run. Never goes back, whatever happens to the wall clock.
#[derive(Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    anchor: Instant,
}

impl Clock {
    /// Anchors the run's time to the wall clock of now. A wall clock before 1970 counts as 1970.
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
