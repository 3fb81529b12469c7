//! The one connection that writes: atomic transactions, each made again if it certainly had no effect.

use sqlx::{Connection as _, PgConnection, Row};
use tokio::sync::Mutex;
use zeph_graph::{RunId, Timestamp};
use zeph_memory::{Commit, Fence, Request, RequestId, StoreError};

use crate::append::{self, Refusal, signed};
use crate::connect::{Connector, Patience};
use crate::postgres_error::is_lost;
use crate::text::stored;
use crate::{lease, news};

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// The connection that writes. Its methods must run to their end; [`PostgresStore`](crate::PostgresStore) ensures
/// that.
#[derive(Debug)]
pub(crate) struct Writer {
    connector: Connector,
    connection: Option<PgConnection>,
    /// The first write failure with an unknown outcome, until the next claim.
    broken: Option<String>,
    is_closed: bool,
}

/// How a transaction failed.
#[derive(Debug)]
enum Failure {
    /// It had no effect.
    Refused(Refusal),
    /// The connection was lost while it was committed: it had its effect, or not.
    Unknown(sqlx::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl Failure {
    /// Whether another try on another connection may succeed, and repeats nothing.
    fn is_lost(&self) -> bool {
        matches!(self, Self::Refused(Refusal::Server(error)) if is_lost(error))
    }

    fn into_store(self) -> StoreError {
        match self {
            Self::Refused(refusal) => refusal.into_store(),
            Self::Unknown(error) => StoreError::io("committing", error),
        }
    }
}

/// A transaction of the writer, in steps that can be made again.
macro_rules! transaction {
    ($writer:expr, $patience:expr, |$connection:ident| $body:expr) => {{
        match $writer.begin($patience).await {
            Ok(mut $connection) => {
                let result = $body;
                $writer.end($connection, result).await
            }
            Err(failure) => Err(failure),
        }
    }};
}

impl Writer {
    pub(crate) fn new(connector: Connector, connection: PgConnection) -> Self {
        Self {
            connector,
            connection: Some(connection),
            broken: None,
            is_closed: false,
        }
    }

    pub(crate) async fn claim(&mut self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        self.check_open()?;
        let lease = self.connector.options.lease;
        let patience = self.connector.patience();
        loop {
            let claimed = transaction!(self, patience, |connection| {
                lease::claim(&mut connection, owner, at, lease)
                    .await
                    .map_err(Failure::from)
            });
            match claimed {
                // An epoch that is claimed and not used does no harm.
                Err(failure @ Failure::Unknown(_)) if !patience.wait().await => {
                    return Err(failure.into_store());
                }
                Err(Failure::Unknown(_)) => {}
                Err(failure) if failure.is_lost() && patience.wait().await => {}
                Err(failure) => return Err(failure.into_store()),
                Ok(fence) => {
                    self.broken = None;
                    return Ok(fence);
                }
            }
        }
    }

    /// Adopts a run. Another try after an unknown outcome changes nothing if the first one had its effect.
    pub(crate) async fn adopt(
        &mut self,
        run: &RunId,
        former: u64,
        fence: Fence,
    ) -> Result<(), StoreError> {
        self.check_ready()?;
        let patience = self.connector.patience();
        loop {
            let adopted = transaction!(self, patience, |connection| {
                lease::adopt(&mut connection, run, former, fence)
                    .await
                    .map_err(Failure::from)
            });
            match adopted {
                Err(Failure::Unknown(_)) if patience.wait().await => {}
                Err(failure) if failure.is_lost() && patience.wait().await => {}
                result => return result.map_err(Failure::into_store),
            }
        }
    }

    /// Ends the lease of an epoch, also after a write with an unknown outcome.
    pub(crate) async fn release(&mut self, fence: Fence) -> Result<(), StoreError> {
        // The close has released the leases of this store: an engine may end after it.
        if self.is_closed {
            return Ok(());
        }
        let patience = self.connector.patience();
        loop {
            let released = transaction!(self, patience, |connection| {
                lease::release(&mut connection, fence)
                    .await
                    .map_err(Failure::from)
            });
            match released {
                Err(Failure::Unknown(_)) if patience.wait().await => {}
                Err(failure) if failure.is_lost() && patience.wait().await => {}
                result => return result.map_err(Failure::into_store),
            }
        }
    }

    /// Writes a commit. If the connection is lost while it is committed, the database says on another connection
    /// whether it was written.
    pub(crate) async fn commit(&mut self, commit: &Commit, fence: Fence) -> Result<(), StoreError> {
        self.check_ready()?;
        let lease = self.connector.options.lease.as_secs_f64();
        let patience = self.connector.patience();
        let mut is_unknown = false;
        loop {
            if is_unknown && self.was_written(commit, fence, patience).await? {
                return Ok(());
            }
            let written = transaction!(self, patience, |connection| {
                let executed = append::execute(&mut connection, commit, fence, lease).await;
                executed.map_err(Failure::from)
            });
            match written {
                Ok(()) => return Ok(()),
                Err(failure @ Failure::Unknown(_)) => {
                    is_unknown = true;
                    if !patience.wait().await {
                        return Err(self.note(failure));
                    }
                }
                Err(failure) if failure.is_lost() && patience.wait().await => {}
                // A run that the first try created could not be waited for; now it is there.
                Err(Failure::Refused(Refusal::Store(StoreError::Exists { run }))) if is_unknown => {
                    if self.was_written(commit, fence, patience).await? {
                        return Ok(());
                    }
                    return Err(StoreError::Exists { run });
                }
                Err(failure) if is_unknown && failure.is_lost() => return Err(self.note(failure)),
                Err(failure) => return Err(failure.into_store()),
            }
        }
    }

    /// Announces that journals have grown. That is a hint, so no caller waits for it, and it may fail.
    pub(crate) async fn announce_grown(&mut self, runs: &[RunId]) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if news::announce_grown(&mut connection, runs).await.is_ok() {
            self.connection = Some(connection);
        }
    }

    /// Whether a commit of unknown outcome was written.
    async fn was_written(
        &mut self,
        commit: &Commit,
        fence: Fence,
        patience: Patience,
    ) -> Result<bool, StoreError> {
        loop {
            let found = transaction!(self, patience, |connection| {
                append::is_written(&mut connection, commit, fence)
                    .await
                    .map_err(Failure::from)
            });
            match found {
                Ok(is_written) => return Ok(is_written),
                Err(_) if patience.wait().await => {}
                Err(failure) => return Err(self.note(failure)),
            }
        }
    }

    /// Adds a request. After an unknown outcome it is not added a second time.
    pub(crate) async fn post(
        &mut self,
        run: &RunId,
        at: Timestamp,
        body: &str,
    ) -> Result<RequestId, StoreError> {
        self.check_open()?;
        let patience = self.connector.patience();
        loop {
            let posted = transaction!(self, patience, |connection| {
                post(&mut connection, run, at, body)
                    .await
                    .map_err(Failure::from)
            });
            match posted {
                Err(failure) if failure.is_lost() && patience.wait().await => {}
                result => return result.map_err(Failure::into_store),
            }
        }
    }

    pub(crate) async fn delete(&mut self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        self.check_ready()?;
        let patience = self.connector.patience();
        loop {
            let deleted = transaction!(self, patience, |connection| {
                delete(&mut connection, runs).await.map_err(Failure::from)
            });
            match deleted {
                Err(failure) if failure.is_lost() && patience.wait().await => {}
                result => return result.map_err(Failure::into_store),
            }
        }
    }

    pub(crate) async fn close(&mut self) {
        self.is_closed = true;
        if let Some(connection) = self.connection.take() {
            // The server notices a connection that was not closed in order, too.
            let _ = connection.close().await;
        }
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.is_closed {
            let error = std::io::Error::from(std::io::ErrorKind::NotConnected);
            return Err(StoreError::io("writing to a store that was closed", error));
        }
        Ok(())
    }

    /// Fails after a write with an unknown outcome.
    fn check_ready(&self) -> Result<(), StoreError> {
        self.check_open()?;
        match &self.broken {
            Some(what) => Err(StoreError::Broken { what: what.clone() }),
            None => Ok(()),
        }
    }

    fn note(&mut self, failure: Failure) -> StoreError {
        let mut error = failure.into_store();
        // What comes after an unknown outcome must not look as if nothing had changed.
        if let StoreError::Busy { source } = error {
            error = StoreError::io("committing", source);
        }
        self.broken = Some(error.to_string());
        error
    }

    /// Takes the connection out, with an open transaction. It comes back when the transaction has ended in order.
    async fn begin(&mut self, patience: Patience) -> Result<PgConnection, Failure> {
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => self.connector.patient_writer(patience).await?,
            };
            match sqlx::raw_sql(BEGIN).execute(&mut connection).await {
                Ok(_) => return Ok(connection),
                Err(error) if is_lost(&error) && patience.wait().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Commits a successful transaction and rolls back a failed one.
    async fn end<T>(
        &mut self,
        mut connection: PgConnection,
        result: Result<T, Failure>,
    ) -> Result<T, Failure> {
        let sql = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        match sqlx::raw_sql(sql).execute(&mut connection).await {
            Ok(_) => {
                self.connection = Some(connection);
                result
            }
            // A connection that is dropped rolls its transaction back.
            Err(_) if result.is_err() => result,
            Err(error) if is_lost(&error) => Err(Failure::Unknown(error)),
            // The server answered that it did not commit.
            Err(error) => Err(error.into()),
        }
    }
}

/// A writer that waits for its turn.
pub(crate) type SharedWriter = std::sync::Arc<Mutex<Writer>>;

/// Adds a request. Its hash covers its number, which is therefore taken first.
async fn post(
    connection: &mut PgConnection,
    run: &RunId,
    at: Timestamp,
    body: &str,
) -> Result<RequestId, Refusal> {
    let sql = "SELECT nextval(pg_get_serial_sequence('inbox', 'id'))";
    let next: i64 = sqlx::query_scalar(sql).fetch_one(&mut *connection).await?;
    let id = RequestId::new(next.cast_unsigned());
    // The lock keeps the run from being deleted, and waits for no commit.
    let sql = "
        INSERT INTO inbox (id, run, at, body, hash) OVERRIDING SYSTEM VALUE
        SELECT $1, run, $3, $4, $5 FROM runs WHERE run = $2 FOR KEY SHARE";
    let query = sqlx::query(sql)
        .bind(next)
        .bind(run.as_str())
        .bind(signed(at.as_micros()))
        .bind(stored(body))
        .bind(Request::hash(id, run, at, body).as_bytes().to_vec());
    if query.execute(&mut *connection).await?.rows_affected() == 0 {
        return Err(Refusal::Store(StoreError::NotFound { run: run.clone() }));
    }
    news::announce_posted(connection, run, id).await?;
    Ok(id)
}

/// Locks the runs that are there, in the order of their names, against commits and requests.
const LOCK_ALL: &str = "SELECT run, open FROM runs WHERE run = ANY ($1) ORDER BY run FOR UPDATE";

/// The statements that delete the runs of a list.
const DELETE_ALL: [&str; 6] = [
    "DELETE FROM contents WHERE run = ANY ($1)",
    "DELETE FROM journal WHERE run = ANY ($1)",
    "DELETE FROM inbox WHERE run = ANY ($1)",
    "DELETE FROM drafts WHERE run = ANY ($1)",
    "DELETE FROM results WHERE run = ANY ($1)",
    "DELETE FROM runs WHERE run = ANY ($1)",
];

/// Deletes runs; returns those that were there.
async fn delete(connection: &mut PgConnection, runs: &[RunId]) -> Result<Vec<RunId>, Refusal> {
    let names: Vec<&str> = runs.iter().map(RunId::as_str).collect();
    let mut is_open = std::collections::BTreeMap::new();
    for row in sqlx::query(LOCK_ALL)
        .bind(&names)
        .fetch_all(&mut *connection)
        .await?
    {
        is_open.insert(row.try_get::<String, _>(0)?, row.try_get::<bool, _>(1)?);
    }
    let mut deleted = Vec::with_capacity(is_open.len());
    for run in runs {
        match is_open.remove(run.as_str()) {
            Some(true) => return Err(Refusal::Store(StoreError::Open { run: run.clone() })),
            Some(false) => deleted.push(run.clone()),
            None => {}
        }
    }
    let names: Vec<&str> = deleted.iter().map(RunId::as_str).collect();
    if !names.is_empty() {
        for sql in DELETE_ALL {
            sqlx::query(sql)
                .bind(&names)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(deleted)
}
