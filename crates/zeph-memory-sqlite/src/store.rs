//! The store itself: opening and closing, and the port over one writer and a few readers.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection, Sqlite, Transaction};
use tokio::sync::Mutex;
use zeph_graph::{ContentId, RunId, Timestamp};
use zeph_memory::{
    Commit, Content, Fence, ListQuery, Outline, RawGraphStore, Request, RequestId, RunRow,
    StoreError, StoredRun,
};

use crate::append::Statements;
use crate::options::SqliteOptions;
use crate::place::{self, Found, Place};
use crate::writer::Writer;
use crate::{connect, create, fault, reader, schema};

/// What the writer does, boxed because it borrows the writer.
type WriterFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store in one SQLite file. Clones share it.
///
/// A store needs the tokio runtime that it was opened in.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    place: Place,
    readers: SqlitePool,
    /// `None` when it was opened for reading only.
    writer: Option<Arc<Mutex<Option<Writer>>>>,
    statements: Arc<AtomicU64>,
}

impl SqliteStore {
    /// Opens the database at a path, and creates it, with its folder, when nothing is there.
    ///
    /// # Errors
    /// [`StoreError::NotADatabase`] when something else is there, also an empty file;
    /// [`StoreError::Newer`] when a newer version made it.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// The same, with options.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn open_with(
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<Self, StoreError> {
        let path = place::absolute(path.as_ref())?;
        if place::look(&path)? == Found::Nothing {
            create::create(&path, &options).await?;
            // What another process may have put there in the meantime is looked at as well.
            place::look(&path)?;
        }
        let path = place::real(&path)?;
        let mut connection = connect::writer(&path, &options).await?;
        let place = Place::of(path)?;
        schema::check_library(place.path(), &mut connection).await?;
        schema::migrate(place.path(), &mut connection).await?;
        let readers = connect::readers(place.path(), &options);
        let writer = Writer::new(connection, place.clone());
        Ok(Self {
            place,
            readers,
            writer: Some(Arc::new(Mutex::new(Some(writer)))),
            statements: Arc::default(),
        })
    }

    /// Opens a database that exists, to read it only; it changes nothing in it.
    ///
    /// Also in a folder or on a disk where nothing may be written: then it reads without any lock, and
    /// what another user commits meanwhile may be missed, or met as damage.
    ///
    /// # Errors
    /// [`StoreError::NotADatabase`] when there is none, or something else;
    /// [`StoreError::Newer`] when a newer version made it.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let options = SqliteOptions::default();
        let path = place::absolute(path.as_ref())?;
        if place::look(&path)? == Found::Nothing {
            return Err(fault::not_a_database(&path, "there is nothing"));
        }
        let path = place::real(&path)?;
        let mut readers = connect::readers(&path, &options);
        let mut found = look_at_schema(&path, &readers).await;
        // Nothing can be made beside the file, not even what readers share.
        if matches!(found, Err(StoreError::Io { .. }))
            && let Some(immutable) = connect::immutable_readers(&path, &options)
        {
            readers = immutable;
            found = look_at_schema(&path, &readers).await;
        }
        let found = found?;
        if !schema::missing(found)?.is_empty() {
            let why =
                format!("it has schema {found}; open it for writing once to bring it up to date");
            return Err(fault::not_a_database(&path, why));
        }
        Ok(Self {
            place: Place::of(path)?,
            readers,
            writer: None,
            statements: Arc::default(),
        })
    }

    /// Where the database lies: an absolute path without links, so one database has one path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// How many statements the commits of this store took so far, `BEGIN` and `COMMIT` not counted.
    ///
    /// At most three for each commit, four when it settles requests.
    #[must_use]
    pub fn commit_statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Closes all connections, which writes the log back into the database. Clones can do nothing
    /// afterwards.
    ///
    /// Dropping a store is as safe, but leaves when that happens to chance.
    ///
    /// # Errors
    /// When the log cannot be written back; nothing that was acknowledged is lost by that.
    pub async fn close(self) -> Result<(), StoreError> {
        self.readers.close().await;
        let Some(writer) = self.take_writer().await else {
            return Ok(());
        };
        let closed = writer.into_connection().close().await;
        closed.map_err(|error| fault::io("closing the database", error))
    }

    /// The writer, which the store then has no more.
    pub(crate) async fn take_writer(&self) -> Option<Writer> {
        self.writer.as_ref()?.lock().await.take()
    }

    /// Runs something on the writer, to its end even when the caller goes away.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Writer) -> WriterFuture<'a, T> + Send + 'static,
    {
        let Some(writer) = self.writer.clone() else {
            let error = std::io::Error::from(std::io::ErrorKind::ReadOnlyFilesystem);
            return Err(StoreError::io(
                "writing to a database that was opened for reading only",
                error,
            ));
        };
        let task = tokio::spawn(async move {
            match writer.lock_owned().await.as_mut() {
                Some(writer) => work(writer).await,
                None => Err(closed()),
            }
        });
        task.await
            .unwrap_or_else(|error| Err(StoreError::io("writing", error)))
    }

    /// A connection to read with, after a look whether the file is still the one that was opened.
    pub(crate) async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.place.check()?;
        self.readers
            .acquire()
            .await
            .map_err(|error| fault::opening(self.path(), error))
    }

    /// One unchanging view for several statements; dropping it ends it.
    async fn snapshot<'c>(
        &self,
        connection: &'c mut PoolConnection<Sqlite>,
    ) -> Result<Transaction<'c, Sqlite>, StoreError> {
        connection
            .begin()
            .await
            .map_err(|error| fault::opening(self.path(), error))
    }
}

/// The schema version, when the file can be read at all.
async fn look_at_schema(path: &Path, readers: &SqlitePool) -> Result<i64, StoreError> {
    let connection = readers.acquire().await;
    let mut connection = connection.map_err(|error| fault::opening(path, error))?;
    schema::check_library(path, &mut connection).await?;
    schema::version(path, &mut connection).await
}

fn closed() -> StoreError {
    let error = std::io::Error::from(std::io::ErrorKind::NotConnected);
    StoreError::io("writing to a store that was closed", error)
}

#[async_trait]
impl RawGraphStore for SqliteStore {
    async fn claim(&self, owner: &str, at: Timestamp) -> Result<Fence, StoreError> {
        let owner = owner.to_owned();
        self.write(move |writer| Box::pin(async move { writer.claim(&owner, at).await }))
            .await
    }

    async fn adopt(&self, run: &RunId, fence: Fence) -> Result<(), StoreError> {
        let run = run.clone();
        self.write(move |writer| Box::pin(async move { writer.adopt(&run, fence).await }))
            .await
    }

    async fn commit(&self, commit: &Commit, fence: Fence) -> Result<(), StoreError> {
        let statements = Statements::new(commit)?;
        let count = Arc::clone(&self.statements);
        self.write(move |writer| {
            Box::pin(async move {
                let executed = writer.commit(statements, fence).await?;
                count.fetch_add(executed, Ordering::Relaxed);
                Ok(())
            })
        })
        .await
    }

    async fn load(&self, run: &RunId) -> Result<StoredRun, StoreError> {
        let mut connection = self.reader().await?;
        let mut snapshot = self.snapshot(&mut connection).await?;
        reader::load(&mut snapshot, run).await
    }

    async fn contents(&self, run: &RunId, ids: &[ContentId]) -> Result<Vec<Content>, StoreError> {
        let mut connection = self.reader().await?;
        let mut snapshot = self.snapshot(&mut connection).await?;
        reader::contents(&mut snapshot, run, ids).await
    }

    async fn outline(&self, run: &RunId) -> Result<Outline, StoreError> {
        let mut connection = self.reader().await?;
        let mut snapshot = self.snapshot(&mut connection).await?;
        reader::outline(&mut snapshot, run).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRow, StoreError> {
        let mut connection = self.reader().await?;
        reader::get(&mut connection, run).await
    }

    async fn list(&self, query: ListQuery) -> Result<Vec<RunRow>, StoreError> {
        let mut connection = self.reader().await?;
        reader::list(&mut connection, &query).await
    }

    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, StoreError> {
        let mut connection = self.reader().await?;
        reader::find(&mut connection, prefix, limit).await
    }

    async fn post(&self, run: &RunId, at: Timestamp, body: &str) -> Result<RequestId, StoreError> {
        let (run, body) = (run.clone(), body.to_owned());
        self.write(move |writer| Box::pin(async move { writer.post(&run, at, &body).await }))
            .await
    }

    async fn inbox(&self, run: &RunId) -> Result<Vec<Request>, StoreError> {
        let mut connection = self.reader().await?;
        reader::inbox(&mut connection, run).await
    }

    async fn delete(&self, run: &RunId, _fence: Fence) -> Result<(), StoreError> {
        let run = run.clone();
        self.write(move |writer| Box::pin(async move { writer.delete(&run).await }))
            .await
    }
}
