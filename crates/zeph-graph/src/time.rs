//! `Timestamp`: time as a value; only drivers read a clock.

use std::fmt;
use std::time::Duration;

/// A moment: microseconds since 1970-01-01T00:00:00Z.
///
/// The driver reads the wall clock once and advances the time by a monotonic clock, so that it never
/// decreases within a run, even if the wall clock is set back.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_graph::Timestamp;
/// let t = Timestamp::from_micros(1_000);
/// assert_eq!(t.after(Duration::from_millis(2)).as_micros(), 3_000);
/// assert_eq!(t.after(Duration::MAX), Timestamp::MAX);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The start of 1970.
    pub const ZERO: Self = Self(0);
    /// The largest moment, used as a deadline that never passes. Fits a signed 64-bit column.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The moment that many microseconds after the start of 1970, at most [`Timestamp::MAX`].
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the start of 1970.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The moment that long after this one; rounds up to a microsecond and saturates at [`Timestamp::MAX`].
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        let micros = delay.as_nanos().div_ceil(1_000);
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
