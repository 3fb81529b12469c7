//! `PostgresStore`: the store port on one writing and a few reading connections, and the leases of its epochs.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::postgres::PgPool;
use sqlx::{PgConnection, Postgres, Transaction};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, oneshot};
use zeph_graph::{ContentId, RunId, Timestamp};
use zeph_memory::{
    Chain, Commit, Content, Draft, Fence, KeyedResult, Lease, ListQuery, News, Outline,
    RawGraphStore, Request, RequestId, ResultKey, RunRow, StoreError, StoredRun, StoredTail,
};

use crate::address::Address;
use crate::connect::{Connector, Patience};
use crate::lease::Renewals;
use crate::options::PostgresOptions;
use crate::writer::{SharedWriter, Writer};
use crate::{append, lease, news, postgres_error, reader, schema, side_tables};

/// The future of a job, boxed because it borrows the writer or the snapshot.
type JobFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

const READ_ONLY: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A store in one schema of a Postgres database. Clones share it.
///
/// A store needs the tokio runtime that it was opened in. Any number of hosts may use one database. An epoch that
/// this store claimed has a [lease](RawGraphStore::lease), which the store renews until it is released, or until
/// the last clone is closed or dropped.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    connector: Connector,
    readers: PgPool,
    /// `None` when it was opened for reading only.
    writer: Option<SharedWriter>,
    renewals: Arc<Renewals>,
    runtime: Handle,
}

impl PostgresStore {
    /// Opens the database at an address; creates the schema and its tables if there are none.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the server cannot be reached, or refuses the user;
    /// [`StoreError::NotADatabase`] if the schema has tables of another program, or the server is too old;
    /// [`StoreError::Newer`] if a newer version made it.
    pub async fn open(address: &Address) -> Result<Self, StoreError> {
        Self::open_with(address, PostgresOptions::default()).await
    }

    /// Like [`open`](PostgresStore::open), with options.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_with(
        address: &Address,
        options: PostgresOptions,
    ) -> Result<Self, StoreError> {
        let connector = Connector::new(address, options);
        let opening = |error| postgres_error::io("opening the database", error);
        let mut connection = connector.writer().await.map_err(opening)?;
        schema::check_server(address, &mut connection).await?;
        schema::migrate(address, &mut connection).await?;
        Ok(Self {
            readers: connector.readers(),
            writer: Some(Arc::new(Mutex::new(Writer::new(
                connector.clone(),
                connection,
            )))),
            renewals: Arc::default(),
            runtime: Handle::current(),
            connector,
        })
    }

    /// Opens an existing database for reading and changes nothing in it.
    ///
    /// # Errors
    /// As [`PostgresStore::open`]; [`StoreError::NotADatabase`] also if the schema is not there, or not up to date.
    pub async fn open_read_only(address: &Address) -> Result<Self, StoreError> {
        let connector = Connector::new(address, PostgresOptions::default());
        let readers = connector.readers();
        let opening = |error| postgres_error::io("opening the database", error);
        // A pool would try again for some time.
        let mut connection = connector.writer().await.map_err(opening)?;
        schema::check_server(address, &mut connection).await?;
        schema::check(address, &mut connection).await?;
        Ok(Self {
            connector,
            readers,
            writer: None,
            renewals: Arc::default(),
            runtime: Handle::current(),
        })
    }

    /// The address of the database, without a password.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.connector.address
    }

    /// Releases the leases of this store, and closes all connections. Calls on clones fail afterwards.
    ///
    /// Dropping a store is as safe, but its leases lapse by themselves then.
    ///
    /// # Errors
    /// When a lease cannot be released. No acknowledged commit is lost then.
    pub async fn close(self) -> Result<(), StoreError> {
        let mut released = Ok(());
        for fence in self.renewals.epochs() {
            released = self.release(fence).await.and(released);
        }
        if let Some(writer) = &self.writer {
            writer.lock().await.close().await;
        }
        self.readers.close().await;
        released
    }

    /// Runs a job on the writer. The job continues if the caller drops the future.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Writer) -> JobFuture<'a, T> + Send + 'static,
    {
        let writer = self.writer()?;
        let task = async move { work(&mut *writer.lock_owned().await).await };
        self.spawn("writing", task).await
    }

    fn writer(&self) -> Result<SharedWriter, StoreError> {
        self.writer.clone().ok_or_else(|| {
            let error = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
            StoreError::io(
                "writing to a database that was opened for reading only",
                error,
            )
        })
    }

    /// Runs a job on the runtime of the store, which has its connections. An engine has a runtime of its own.
    async fn spawn<T: Send + 'static>(
        &self,
        what: &'static str,
        job: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let ended = self.runtime.spawn(job).await;
        ended.unwrap_or_else(|error| Err(StoreError::io(what, error)))
    }

    /// Runs a job in a transaction in which several statements read the same state. A connection that was lost
    /// since its last use is replaced.
    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut PgConnection) -> JobFuture<'a, T> + Send + 'static,
    {
        let store = self.clone();
        let job = async move {
            let patience = store.connector.patience();
            let mut snapshot = store.snapshot(patience).await.map_err(reading)?;
            // A transaction that only reads has nothing to commit; dropping it ends it.
            work(&mut snapshot).await
        };
        self.spawn("reading", job).await
    }

    async fn snapshot(
        &self,
        patience: Patience,
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        loop {
            match self.readers.begin_with(READ_ONLY).await {
                Err(error) if postgres_error::is_lost(&error) && patience.wait().await => {}
                begun => return begun,
            }
        }
    }
}

fn reading(error: sqlx::Error) -> StoreError {
    postgres_error::io("reading", error)
}

#[async_trait]
impl RawGraphStore for PostgresStore {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        let owner = owner.to_owned();
        let claim =
            self.write(move |writer| Box::pin(async move { writer.claim(&owner, at).await }));
        let fence = claim.await?;
        self.renewals
            .start(&self.runtime, self.connector.clone(), fence);
        Ok(fence)
    }

    async fn adopt(&self, run: &RunId, former: u64, fence: Fence) -> Result<(), StoreError> {
        let run = run.clone();
        self.write(move |writer| Box::pin(async move { writer.adopt(&run, former, fence).await }))
            .await
    }

    async fn lease(&self, epoch: u64) -> Result<Lease, StoreError> {
        self.read(move |snapshot| {
            Box::pin(async move { lease::of(snapshot, epoch).await.map_err(reading) })
        })
        .await
    }

    async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        self.renewals.stop(fence);
        self.write(move |writer| Box::pin(async move { writer.release(fence).await }))
            .await
    }

    async fn commit(&self, commit: &Commit, fence: Fence) -> Result<(), StoreError> {
        commit.check()?;
        append::check_size(commit)?;
        let (commit, writer) = (commit.clone(), self.writer()?);
        let (done, written) = oneshot::channel();
        self.runtime.spawn(async move {
            let mut writer = writer.lock_owned().await;
            let result = writer.commit(&commit, fence).await;
            let is_written = result.is_ok();
            // The caller may have dropped its future.
            let _ = done.send(result);
            let grown = commit
                .appends
                .iter()
                .filter(|append| !append.rows().is_empty());
            let grown: Vec<RunId> = grown.map(|append| append.run().clone()).collect();
            if is_written && !grown.is_empty() {
                writer.announce_grown(&grown).await;
            }
        });
        let result = written.await;
        result.unwrap_or_else(|error| Err(StoreError::io("writing", error)))
    }

    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        let run = run.clone();
        self.read(move |snapshot| Box::pin(async move { reader::load(snapshot, &run).await }))
            .await
    }

    async fn load_after(&self, chain: &Chain) -> Result<StoredTail, StoreError> {
        let chain = chain.clone();
        self.read(move |snapshot| {
            Box::pin(async move { reader::load_after(snapshot, &chain).await })
        })
        .await
    }

    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError> {
        let (run, ids) = (run.clone(), ids.to_vec());
        self.read(move |snapshot| {
            Box::pin(async move { reader::contents(snapshot, &run, &ids).await })
        })
        .await
    }

    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError> {
        let run = run.clone();
        self.read(move |snapshot| Box::pin(async move { reader::outline(snapshot, &run).await }))
            .await
    }

    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError> {
        let run = run.clone();
        self.read(move |snapshot| Box::pin(async move { reader::get(snapshot, &run).await }))
            .await
    }

    async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, StoreError> {
        self.read(move |snapshot| Box::pin(async move { reader::list(snapshot, &query).await }))
            .await
    }

    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, StoreError> {
        let prefix = prefix.to_owned();
        self.read(move |snapshot| {
            Box::pin(async move { reader::find(snapshot, &prefix, limit).await })
        })
        .await
    }

    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError> {
        let (run, body) = (run.clone(), body.to_owned());
        self.write(move |writer| Box::pin(async move { writer.post(&run, at, &body).await }))
            .await
    }

    async fn inbox(&self, run: &RunId) -> Result<Vec<Request>, StoreError> {
        let run = run.clone();
        self.read(move |snapshot| Box::pin(async move { side_tables::inbox(snapshot, &run).await }))
            .await
    }

    async fn news(&self) -> Result<mpsc::Receiver<News>, StoreError> {
        let connector = self.connector.clone();
        let listening = async move {
            let listener = news::listen(&connector).await;
            let listener = listener.map_err(|error| postgres_error::io("listening", error))?;
            let (sender, receiver) = news::channel();
            tokio::spawn(news::forward(connector, listener, sender));
            Ok(receiver)
        };
        self.spawn("listening", listening).await
    }

    async fn drafts(&self, run: &RunId, prefix: &str) -> Result<Vec<Draft>, StoreError> {
        let (run, prefix) = (run.clone(), prefix.to_owned());
        self.read(move |snapshot| {
            Box::pin(async move { side_tables::drafts(snapshot, &run, &prefix).await })
        })
        .await
    }

    async fn result(&self, key: &ResultKey) -> Result<Option<KeyedResult>, StoreError> {
        let key = *key;
        self.read(move |snapshot| {
            Box::pin(async move { side_tables::result(snapshot, &key).await })
        })
        .await
    }

    async fn delete_all(&self, runs: &[RunId], _fence: Fence) -> Result<Vec<RunId>, StoreError> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let runs = runs.to_vec();
        self.write(move |writer| Box::pin(async move { writer.delete(&runs).await }))
            .await
    }
}
