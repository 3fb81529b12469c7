//! Leases: the time until which an epoch keeps its runs, by the clock of the server.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::{PgConnection, Row};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use zeph_graph::{RunId, Timestamp};
use zeph_memory::{Fence, Lease, StoreError};

use crate::append::{Refusal, signed};
use crate::connect::Connector;
use crate::text::{given, stored};

/// Each of so many claims removes old ones that own nothing.
const CLAIMS_KEPT: i64 = 100;

const CLAIM: &str = "
INSERT INTO claims (name, since, lapses_at) VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
RETURNING epoch";

const PRUNE: &str = "
DELETE FROM claims
WHERE epoch < $1 AND lapses_at < clock_timestamp() AND epoch NOT IN (SELECT epoch FROM runs)";

/// A lease is never shortened by a renewal, and a released one is over.
const RENEW: &str = "
UPDATE claims SET lapses_at = clock_timestamp() + make_interval(secs => $2)
WHERE epoch = $1 AND lapses_at > '-infinity'";

const RELEASE: &str = "UPDATE claims SET lapses_at = '-infinity' WHERE epoch = $1";

/// The name of an owner, and the seconds until its lease lapses. Postgres 15 cannot subtract an infinite time.
const LEFT: &str = "
SELECT name,
       CASE WHEN lapses_at > clock_timestamp()
            THEN extract(epoch FROM lapses_at - clock_timestamp())::double precision END
FROM claims WHERE epoch = $1";

const LEFT_LOCKED: &str = "
SELECT name,
       CASE WHEN lapses_at > clock_timestamp()
            THEN extract(epoch FROM lapses_at - clock_timestamp())::double precision END
FROM claims WHERE epoch = $1 FOR UPDATE";

/// Starts a lease under a new epoch.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    owner: &str,
    at: Timestamp,
    lease: Duration,
) -> Result<Fence, Refusal> {
    let epoch: i64 = sqlx::query_scalar(CLAIM)
        .bind(stored(owner))
        .bind(signed(at.as_micros()))
        .bind(lease.as_secs_f64())
        .fetch_one(&mut *connection)
        .await?;
    if epoch % CLAIMS_KEPT == 0 {
        let prune = sqlx::query(PRUNE).bind(epoch - CLAIMS_KEPT);
        prune.execute(connection).await?;
    }
    Ok(Fence {
        epoch: epoch.cast_unsigned(),
    })
}

/// Makes the fence's epoch the owner of a run of the epoch `former`, unless that has a lease and the run is open.
///
/// Like a commit it locks the run first and the lease second.
pub(crate) async fn adopt(
    connection: &mut PgConnection,
    run: &RunId,
    former: u64,
    fence: Fence,
) -> Result<(), Refusal> {
    let sql = "SELECT epoch, open FROM runs WHERE run = $1 FOR NO KEY UPDATE";
    let found = sqlx::query(sql)
        .bind(run.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = found else {
        return Err(Refusal::Store(StoreError::NotFound { run: run.clone() }));
    };
    let theirs = row.try_get::<i64, _>(0)?.cast_unsigned();
    if theirs == fence.epoch {
        return Ok(());
    }
    if theirs != former {
        return Err(Refusal::Store(StoreError::Fenced {
            run: run.clone(),
            ours: fence.epoch,
            theirs,
        }));
    }
    if row.try_get(1)?
        && let Lease::Held { owner, left } = read(connection, theirs, LEFT_LOCKED).await?
    {
        return Err(Refusal::Store(StoreError::Owned {
            run: run.clone(),
            owner,
            left,
        }));
    }
    let update = sqlx::query("UPDATE runs SET epoch = $2 WHERE run = $1").bind(run.as_str());
    update.bind(signed(fence.epoch)).execute(connection).await?;
    Ok(())
}

/// The lease of an epoch. One that is not known has lapsed long ago.
pub(crate) async fn of(connection: &mut PgConnection, epoch: u64) -> Result<Lease, sqlx::Error> {
    read(connection, epoch, LEFT).await
}

async fn read(
    connection: &mut PgConnection,
    epoch: u64,
    sql: &'static str,
) -> Result<Lease, sqlx::Error> {
    let found = sqlx::query(sql)
        .bind(signed(epoch))
        .fetch_optional(connection)
        .await?;
    let Some(row) = found else {
        return Ok(Lease::Lapsed);
    };
    let left: Option<f64> = row.try_get(1)?;
    Ok(match left {
        Some(seconds) => Lease::Held {
            owner: given(row.try_get(0)?),
            left: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        },
        None => Lease::Lapsed,
    })
}

/// Ends the lease of an epoch, so that others may adopt its runs at once.
pub(crate) async fn release(
    connection: &mut PgConnection,
    fence: Fence,
) -> Result<(), sqlx::Error> {
    let release = sqlx::query(RELEASE).bind(signed(fence.epoch));
    release.execute(connection).await.map(drop)
}

/// The leases that a store renews, each by a task. They end with the store.
#[derive(Debug, Default)]
pub(crate) struct Renewals(Mutex<BTreeMap<u64, AbortHandle>>);

impl Renewals {
    /// Renews the lease of an epoch at each third of its duration.
    pub(crate) fn start(&self, runtime: &Handle, connector: Connector, fence: Fence) {
        let task = runtime.spawn(renew(connector, fence)).abort_handle();
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.insert(fence.epoch, task);
    }

    /// Stops the renewal of an epoch.
    pub(crate) fn stop(&self, fence: Fence) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = tasks.remove(&fence.epoch) {
            task.abort();
        }
    }

    /// The epochs whose leases are renewed.
    pub(crate) fn epochs(&self) -> Vec<Fence> {
        let tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.keys().map(|&epoch| Fence { epoch }).collect()
    }
}

impl Drop for Renewals {
    fn drop(&mut self) {
        for fence in self.epochs() {
            self.stop(fence);
        }
    }
}

/// Renews a lease until the task is aborted, on a connection of its own: no long commit holds a renewal up.
async fn renew(connector: Connector, fence: Fence) {
    let lease = connector.options.lease;
    let mut turns = tokio::time::interval(lease / 3);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut connection = None;
    // The first turn is at once, and the claim has just started the lease.
    turns.tick().await;
    loop {
        turns.tick().await;
        let renewed =
            tokio::time::timeout(lease / 3, renew_once(&connector, &mut connection, fence)).await;
        let failed = match renewed {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the server does not answer".to_owned(),
        };
        connection = None;
        tracing::warn!(epoch = fence.epoch, error = %failed, "the lease could not be renewed; it is tried again");
    }
}

async fn renew_once(
    connector: &Connector,
    connection: &mut Option<PgConnection>,
    fence: Fence,
) -> Result<(), sqlx::Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(connector.writer().await?),
    };
    let renewal = sqlx::query(RENEW).bind(signed(fence.epoch));
    renewal
        .bind(connector.options.lease.as_secs_f64())
        .execute(connection)
        .await
        .map(drop)
}
