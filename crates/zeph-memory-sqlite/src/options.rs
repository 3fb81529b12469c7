//! `SqliteOptions`: durability, time-outs and connections of a database.

use std::time::Duration;

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// When it is on the disk: an acknowledged commit survives a power loss.
    #[default]
    Full,
    /// When the operating system has it: an acknowledged commit survives a crash or kill of the process,
    /// but a power loss may lose the last commits. The database stays consistent.
    Normal,
}

/// Options of a database, passed in once when it is opened.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_memory_sqlite::{SqliteOptions, Synchronous};
/// let options = SqliteOptions::default()
///     .synchronous(Synchronous::Normal)
///     .busy_timeout(Duration::from_secs(30));
/// assert_ne!(options, SqliteOptions::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    pub(crate) synchronous: Synchronous,
    pub(crate) busy_timeout: Duration,
    pub(crate) readers: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(10),
            readers: 4,
        }
    }
}

impl SqliteOptions {
    /// When a commit is acknowledged. Default: [`Synchronous::Full`].
    #[must_use]
    pub const fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// How long a write waits for another process that is writing. Default: 10 s, at most about 24 days.
    ///
    /// With zero, one of two processes that write at the same time fails as busy.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout.min(Duration::from_millis(i32::MAX.unsigned_abs().into()));
        self
    }

    /// The number of calls that may read at once. Default: 4, at least 1. Each costs a thread and a page
    /// cache of about 2 MB once it is used.
    #[must_use]
    pub fn readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }
}
