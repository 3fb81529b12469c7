//! How a database is opened: values, passed in once.

use std::time::Duration;

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Synchronous {
    /// When the disk says that it has it: an acknowledged commit survives a power loss.
    #[default]
    Full,
    /// When the system has it: an acknowledged commit survives a crash or kill of the process, but
    /// the last ones may be lost with the power. The database stays whole either way.
    Normal,
}

/// How a database is opened.
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
    pub(crate) wal_limit_bytes: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(10),
            readers: 4,
            wal_limit_bytes: 64 << 20,
        }
    }
}

impl SqliteOptions {
    /// When a commit counts as done; [`Synchronous::Full`] unless told otherwise.
    #[must_use]
    pub const fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// How long to wait for another process that is writing; 10 seconds unless told otherwise.
    ///
    /// With zero, two processes that write at once make one of them fail as busy. It is cut to about
    /// 24 days.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout.min(Duration::from_millis(i32::MAX.unsigned_abs().into()));
        self
    }

    /// How many calls may read at once; 4 unless told otherwise, at least 1. Each costs a thread and
    /// a page cache of about 2 MB once it is used.
    #[must_use]
    pub fn readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// To how many bytes the write-ahead log is cut after it was written back; 64 MiB unless told
    /// otherwise. While a reader stays in the middle of something it may grow beyond that.
    #[must_use]
    pub const fn wal_limit_bytes(mut self, bytes: u32) -> Self {
        self.wal_limit_bytes = bytes;
        self
    }
}
