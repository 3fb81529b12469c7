//! The clock: wall-clock time that never goes back. The only place of this crate that reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use zeph_graph::Timestamp;

/// Reads the wall clock once and adds monotonic time, so that timestamps never decrease.
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

    /// Whether the runtime's clock stands still: the clock of the system is ahead of it.
    pub(crate) fn is_paused(&self) -> bool {
        let before = std::time::Instant::now();
        Instant::now().into_std() < before
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall.after(self.anchor.elapsed())
    }

    /// The instant to sleep until, at most a day away. The caller checks a later deadline again then.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        const DAY: Duration = Duration::from_secs(86_400);
        Instant::now() + at.since(self.now()).min(DAY)
    }
}
