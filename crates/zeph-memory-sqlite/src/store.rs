//! `SqliteStore`: the store port on one writing and a few reading connections.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection as _, Sqlite, Transaction};
use tokio::sync::Mutex;
use zeph_graph::{ContentId, RunId, Timestamp};
use zeph_memory::{
    Chain, Commit, Content, Draft, Fence, KeyedResult, ListQuery, Outline, RawGraphStore, Request,
    RequestId, ResultKey, RunRow, StoreError, StoredRun, StoredTail,
};

use crate::append::Statements;
use crate::database_file::{self, DatabaseFile, Found};
use crate::file_check::{self, FileCheck};
use crate::last_commit::LastCommit;
use crate::options::{SqliteOptions, Synchronous};
use crate::writer::Writer;
use crate::{backup, connect, create, drafts, inbox, reader, results, schema, sqlite_error};

/// The future of a job, boxed because it borrows the writer.
type WriterFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store in one SQLite file. Clones share it.
///
/// A store needs the tokio runtime that it was opened in.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    file: DatabaseFile,
    readers: SqlitePool,
    /// `None` when it was opened for reading only.
    writer: Option<Arc<Mutex<Option<Writer>>>>,
    statements: Arc<AtomicU64>,
}

impl SqliteStore {
    /// Opens the database at a path; creates it, with its folder, if there is none.
    ///
    /// # Errors
    /// [`StoreError::NotADatabase`] if the file is no database of this program, is empty, or belongs to
    /// another user than this one and root;
    /// [`StoreError::Newer`] if a newer version made it; [`StoreError::Unreleased`] if an unreleased one did.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// Like [`open`](SqliteStore::open), with options.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn open_with(
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<Self, StoreError> {
        let path = database_file::absolute(path.as_ref())?;
        let opened = Self::open_at(&path, options).await;
        opened.map_err(|error| create::full_or(&path, error))
    }

    async fn open_at(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        create::remove_leftovers(path);
        if database_file::inspect(path)? == Found::Nothing {
            create::create(path, &options).await?;
            // Another process may have created a file there in the meantime.
            database_file::inspect(path)?;
        }
        let path = database_file::real(path)?;
        database_file::check_owner(&path)?;
        let mut connection = connect::writer(&path, &options).await?;
        let file = DatabaseFile::opened(path)?;
        schema::check_library(file.path(), &mut connection).await?;
        schema::migrate(file.path(), &mut connection).await?;
        schema::check_objects(file.path(), &mut connection).await?;
        LastCommit::check(file.path(), &mut connection).await?;
        let readers = connect::readers(file.path(), &options);
        let last =
            (options.synchronous == Synchronous::Full).then(|| LastCommit::beside(file.path()));
        let writer = Writer::new(connection, file.clone(), last);
        Ok(Self {
            file,
            readers,
            writer: Some(Arc::new(Mutex::new(Some(writer)))),
            statements: Arc::default(),
        })
    }

    /// Opens an existing database for reading and changes nothing in it.
    ///
    /// It also works without write permission for the folder or the disk. The store then reads without a
    /// lock, so it may miss a commit that another user makes at the same time, or report it as damage.
    ///
    /// # Errors
    /// [`StoreError::NotADatabase`] if there is no database at the path;
    /// [`StoreError::Newer`] if a newer version made it; [`StoreError::Unreleased`] if an unreleased one did.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let options = SqliteOptions::default();
        let path = database_file::absolute(path.as_ref())?;
        if database_file::inspect(&path)? == Found::Nothing {
            return Err(sqlite_error::not_a_database(&path, "there is no file"));
        }
        let path = database_file::real(&path)?;
        let mut readers = connect::readers(&path, &options);
        let mut found = read_schema_version(&path, &readers).await;
        // Without write permission, or space, SQLite cannot create the file `-shm` that readers share.
        if matches!(found, Err(StoreError::Io { .. } | StoreError::Full { .. }))
            && let Some(immutable) = connect::immutable_readers(&path, &options)
        {
            readers = immutable;
            found = read_schema_version(&path, &readers).await;
        }
        let found = found?;
        if !schema::pending_migrations(&path, found)?.is_empty() {
            let why = format!(
                "it has schema {found}; open it for writing once, as `zeph run` does, to bring it up to date"
            );
            return Err(sqlite_error::not_a_database(&path, why));
        }
        Ok(Self {
            file: DatabaseFile::opened(path)?,
            readers,
            writer: None,
            statements: Arc::default(),
        })
    }

    /// Checks the file as a whole: its pages and indexes, and rows that belong to no run. Reads all of it.
    ///
    /// [`verify`](zeph_memory::verify) checks the chain of each run.
    ///
    /// # Errors
    /// When the file cannot be opened; damage is a finding.
    pub async fn check(&self) -> Result<FileCheck, StoreError> {
        let mut connection = self.reader().await?;
        let mut snapshot = self.snapshot(&mut connection).await?;
        let mut check = file_check::check(&mut snapshot).await;
        match LastCommit::check(self.path(), &mut snapshot).await {
            Ok(()) => {}
            Err(error) => check.findings.push(error.to_string()),
        }
        Ok(check)
    }

    /// Fails if the log was damaged, so that commits are missing. A store that was opened for reading only is
    /// not checked before.
    ///
    /// # Errors
    /// [`StoreError::LogDamaged`].
    pub async fn check_log(&self) -> Result<(), StoreError> {
        let mut connection = self.reader().await?;
        LastCommit::check(self.path(), &mut connection).await
    }

    /// Gives the space of deleted runs back to the file system, if it is at least 1 MiB and a quarter of the
    /// file; returns the number of bytes. The file gets shorter when the store is closed.
    ///
    /// It writes the whole file again: other writers wait meanwhile, and the disk needs room for a second and
    /// a third copy.
    ///
    /// # Errors
    /// When the file cannot be written. Nothing is lost then.
    pub async fn shrink(&self) -> Result<u64, StoreError> {
        self.write(|writer| Box::pin(writer.shrink())).await
    }

    /// Writes a copy of the database into a new file, which only its owner can read, without disturbing other
    /// processes. The copy has all commits so far, and no free space.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the file is there already, or cannot be written; no part of it is left then.
    pub async fn backup(&self, to: impl AsRef<Path>) -> Result<(), StoreError> {
        let mut connection = self.reader().await?;
        backup::write(&mut connection, to.as_ref()).await
    }

    /// The absolute path of the database, with symbolic links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The number of statements in all commits of this store so far, without `BEGIN` and `COMMIT`: at most
    /// three for each commit, four when it settles requests, two more for drafts, and one for keyed results.
    #[must_use]
    pub fn commit_statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Closes all connections. Calls on clones fail afterwards.
    ///
    /// The log is written back into the file, and the last process that closes the database removes it, so
    /// the file alone is complete. Dropping a store is as safe, but does this at an unspecified time.
    ///
    /// # Errors
    /// When the log cannot be written back. No acknowledged commit is lost then.
    pub async fn close(self) -> Result<(), StoreError> {
        self.readers.close().await;
        let Some(writer) = self.take_writer().await else {
            return Ok(());
        };
        writer.close().await
    }

    /// Takes the writer out of the store, which closes it for all clones.
    pub(crate) async fn take_writer(&self) -> Option<Writer> {
        self.writer.as_ref()?.lock().await.take()
    }

    /// Runs a job on the writer. The job continues if the caller drops the future.
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

    /// A reading connection. Fails if the file was replaced or removed since the store was opened.
    pub(crate) async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.file.check()?;
        self.readers
            .acquire()
            .await
            .map_err(|error| sqlite_error::opening(self.path(), error))
    }

    /// A transaction in which several statements read the same state; dropping it ends it.
    async fn snapshot<'c>(
        &self,
        connection: &'c mut PoolConnection<Sqlite>,
    ) -> Result<Transaction<'c, Sqlite>, StoreError> {
        connection
            .begin()
            .await
            .map_err(|error| sqlite_error::opening(self.path(), error))
    }
}

/// The schema version, if the file can be read.
async fn read_schema_version(path: &Path, readers: &SqlitePool) -> Result<i64, StoreError> {
    let connection = readers.acquire().await;
    let mut connection = connection.map_err(|error| sqlite_error::opening(path, error))?;
    schema::check_library(path, &mut connection).await?;
    let version = schema::version(path, &mut connection).await?;
    if version == schema::SCHEMA_VERSION {
        schema::check_objects(path, &mut connection).await?;
    }
    Ok(version)
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

    async fn adopt(&self, run: &RunId, former: u64, fence: Fence) -> Result<(), StoreError> {
        let run = run.clone();
        self.write(move |writer| Box::pin(async move { writer.adopt(&run, former, fence).await }))
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

    async fn load_after(&self, chain: &Chain) -> Result<StoredTail, StoreError> {
        let mut connection = self.reader().await?;
        let mut snapshot = self.snapshot(&mut connection).await?;
        reader::load_after(&mut snapshot, chain).await
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
        inbox::read(&mut connection, run).await
    }

    async fn drafts(&self, run: &RunId, prefix: &str) -> Result<Vec<Draft>, StoreError> {
        let mut connection = self.reader().await?;
        drafts::read(&mut connection, run, prefix).await
    }

    async fn result(&self, key: &ResultKey) -> Result<Option<KeyedResult>, StoreError> {
        let mut connection = self.reader().await?;
        results::read(&mut connection, key).await
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
