//! The clock: the only place that reads one. Anchored to the wall once, monotonic from there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use zeph_graph::Timestamp;

/// Tells timestamps that never decrease, whatever happens to the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    anchor: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        // A wall clock before 1970 counts as 1970.
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self {
            wall: Timestamp::ZERO.after(wall),
            anchor: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall.after(self.anchor.elapsed())
    }

    /// The moment to sleep until, at most a day away: a far deadline is looked at again then.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        const DAY: Duration = Duration::from_secs(86_400);
        Instant::now() + at.since(self.now()).min(DAY)
    }
}
