//! `PostgresOptions`: the lease of an owner, time-outs and connections.

use std::time::Duration;

/// Options of a store, passed in once when it is opened.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_memory_postgres::PostgresOptions;
/// let options = PostgresOptions::default().lease(Duration::from_secs(60)).readers(2);
/// assert_ne!(options, PostgresOptions::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    pub(crate) lease: Duration,
    pub(crate) reconnect_timeout: Duration,
    pub(crate) lock_timeout: Duration,
    pub(crate) readers: u32,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            reconnect_timeout: Duration::from_secs(20),
            lock_timeout: Duration::from_secs(10),
            readers: 4,
        }
    }
}

impl PostgresOptions {
    /// How long an owner keeps its runs after its last sign of life. Default: 30 s, at least 100 ms, at most a
    /// day.
    ///
    /// A short lease lets another host take over soon. It must be longer than any pause of the owner or of the
    /// server that should not cost it its runs.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(Duration::from_millis(100), Duration::from_secs(86_400));
        self
    }

    /// How long a call waits for a server that cannot be reached, as during a restart. Default: 20 s.
    #[must_use]
    pub const fn reconnect_timeout(mut self, timeout: Duration) -> Self {
        self.reconnect_timeout = timeout;
        self
    }

    /// How long a write waits for the lock of another one before it fails as busy. Default: 10 s, at least 1 ms.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout.clamp(Duration::from_millis(1), Duration::from_secs(86_400));
        self
    }

    /// The number of calls that may read at once. Default: 4, at least 1. Each costs a connection once it is
    /// used. Besides, a store has one connection for writing, and one for its lease.
    #[must_use]
    pub fn readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }
}
