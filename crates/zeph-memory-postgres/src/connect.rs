//! Connections: one for writing, one for the leases, a pool for reading. A lost one is made again.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection};

use crate::address::Address;
use crate::options::PostgresOptions;
use crate::postgres_error;

/// How long to wait before the next try to reach a server.
const RETRY_WAIT: Duration = Duration::from_millis(100);

/// How long a transaction may wait for its next statement, which may have to cross a slow network first.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A commit that was acknowledged is on the disk, whatever the database has as its default.
const DURABLE: &str = "
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// What a connection for writing needs.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) address: Address,
    pub(crate) options: PostgresOptions,
}

impl Connector {
    pub(crate) fn new(address: &Address, options: PostgresOptions) -> Self {
        Self {
            address: address.clone(),
            options,
        }
    }

    /// A connection for writing.
    pub(crate) async fn writer(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.session().connect().await?;
        sqlx::query(DURABLE).execute(&mut connection).await?;
        Ok(connection)
    }

    /// A connection for writing; waits for a server that cannot be reached.
    pub(crate) async fn patient_writer(
        &self,
        patience: Patience,
    ) -> Result<PgConnection, sqlx::Error> {
        loop {
            match self.writer().await {
                Err(error) if postgres_error::is_lost(&error) && patience.wait().await => {}
                connected => return connected,
            }
        }
    }

    /// The reading connections; each is opened when it is first needed.
    pub(crate) fn readers(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(self.options.readers)
            .acquire_timeout(self.options.reconnect_timeout.max(Duration::from_secs(1)))
            .test_before_acquire(false)
            .connect_lazy_with(self.session())
    }

    /// The options of every connection.
    pub(crate) fn session(&self) -> PgConnectOptions {
        let lock = self.options.lock_timeout.as_millis().to_string();
        // A transaction that a process left open does not keep its locks for ever.
        let idle = self.options.lease.max(LONGEST_PAUSE).as_millis();
        let idle = idle.to_string();
        self.address.connect_options(&[
            ("lock_timeout", lock),
            ("idle_in_transaction_session_timeout", idle),
        ])
    }

    /// Waits from now on, as long as the options say.
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            until: Instant::now() + self.options.reconnect_timeout,
        }
    }
}

/// How long a call waits for a server that cannot be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    until: Instant,
}

impl Patience {
    /// Waits a moment before the next try; false if there is no time left for one.
    pub(crate) async fn wait(self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        tokio::time::sleep(RETRY_WAIT).await;
        true
    }
}
