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

    /// Whether the runtime's clock stands still while that of the system goes on. A test may have moved it ahead
    /// of the system's, so that the two are not compared.
    pub(crate) fn is_paused(&self) -> bool {
        let before = Instant::now();
        let system = std::time::Instant::now();
        while std::time::Instant::now() == system {
            std::hint::spin_loop();
        }
        Instant::now() == before
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Clock;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_moved_ahead_is_paused_too() {
        assert!(Clock::start().is_paused());
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert!(Clock::start().is_paused());
    }

    #[tokio::test]
    async fn a_clock_that_goes_is_not_paused() {
        assert!(!Clock::start().is_paused());
    }
}
