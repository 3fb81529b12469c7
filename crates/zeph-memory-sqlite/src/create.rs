//! Creation of a database: it is written under a temporary name and then linked to its own.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection;
use zeph_memory::StoreError;

use crate::connect;
use crate::database_file::with_suffix;
use crate::options::SqliteOptions;
use crate::{schema, sqlite_error};

/// Creates an empty database with the newest schema. A database that another process created first is kept.
pub(crate) async fn create(path: &Path, options: &SqliteOptions) -> Result<(), StoreError> {
    make_folder(path)?;
    let draft = Draft::beside(path)?;
    let mut connection = connect::writer(draft.path(), options).await?;
    schema::check_library(path, &mut connection).await?;
    schema::migrate(path, &mut connection).await?;
    // A close reports no failure to write the log back, so that is done, and looked at, before.
    let whole = connect::checkpoint(&mut connection).await;
    let closed = connection.close().await;
    let failed = |error| sqlite_error::io("writing the new database", error);
    if !whole.map_err(failed)? {
        let error = io::Error::other("its log was not written back");
        return Err(StoreError::io("writing the new database", error));
    }
    closed.map_err(failed)?;
    check_alone(draft.path(), options).await?;
    match draft.publish(path) {
        Err(StoreError::NotADatabase { .. }) => Ok(()),
        result => result,
    }
}

/// Checks that the file without its log is a run database: only the file is given its name.
async fn check_alone(path: &Path, options: &SqliteOptions) -> Result<(), StoreError> {
    let readers = connect::immutable_readers(path, options).ok_or_else(|| {
        let error = io::Error::other("it still has a log");
        StoreError::io("writing the new database", error)
    })?;
    let mut connection = readers
        .acquire()
        .await
        .map_err(|error| sqlite_error::opening(path, error))?;
    let checked = schema::check_objects(path, &mut connection).await;
    drop(connection);
    readers.close().await;
    checked
}

/// Why a write failed: SQLite reports a full quota as any other error, so a new file shows what is full.
pub(crate) fn full_or(path: &Path, error: StoreError) -> StoreError {
    if !matches!(error, StoreError::Io { .. }) {
        return error;
    }
    let written = Draft::beside(path).and_then(|draft| {
        fs::write(draft.path(), [0; 4096])
            .and_then(|()| sync(draft.path()))
            .map_err(|error| failed(draft.path(), error))
    });
    match written {
        Err(full @ StoreError::Full { .. }) => full,
        _ => error,
    }
}

/// Creates the folder, for its owner only, if it does not exist.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    if folder.is_dir() {
        return Ok(());
    }
    let missing = folder.ancestors().take_while(|folder| !folder.is_dir());
    let missing: Vec<&Path> = missing.collect();
    for folder in missing.into_iter().rev() {
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result.map_err(|error| failed(folder, error))?,
        }
        // The entry of a new folder survives a power loss when its parent folder is synced.
        if let Some(parent) = folder.parent() {
            sync(parent).map_err(|error| failed(parent, error))?;
        }
    }
    Ok(())
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|file| file.sync_all())
}

/// A draft may be a moment old before it is locked.
const LEFTOVER_AGE: Duration = Duration::from_secs(60);

/// Removes the drafts of processes that were killed while they created this database.
pub(crate) fn remove_leftovers(path: &Path) {
    for (draft, file) in drafts(path) {
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > LEFTOVER_AGE) && file.try_lock().is_ok() {
            drop(Draft {
                path: draft,
                _lock: file,
            });
        }
    }
}

/// Whether the file has names that are not drafts of it.
pub(crate) fn has_other_names(path: &Path, metadata: &Metadata) -> bool {
    let own = drafts(path)
        .filter(|(_, file)| {
            file.metadata()
                .is_ok_and(|draft| draft.ino() == metadata.ino())
        })
        .count() as u64;
    metadata.nlink() > 1 + own
}

/// The drafts of a database, opened.
fn drafts(path: &Path) -> impl Iterator<Item = (PathBuf, File)> {
    let prefix = path
        .file_name()
        .map(|name| format!("{}.new-", name.to_string_lossy()));
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(move |entry| {
            let name = entry.file_name();
            let numbers = name.to_str()?.strip_prefix(prefix.as_deref()?)?;
            let is_draft = numbers
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-')
                && entry.file_type().is_ok_and(|kind| kind.is_file());
            let file = is_draft.then(|| File::open(entry.path()).ok())??;
            Some((entry.path(), file))
        })
}

/// A file under a temporary name, removed unless it is published.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    /// Locked, so that no other process takes the draft for a leftover.
    _lock: File,
}

impl Draft {
    /// An empty file beside that path that only its owner may read, with any umask.
    pub(crate) fn beside(path: &Path) -> Result<Self, StoreError> {
        let pid = std::process::id();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // A name exists if an earlier process with this id was killed here.
        for n in 0..1_000_u32 {
            let draft = with_suffix(path, &format!(".new-{pid}-{n}"));
            match options.open(&draft) {
                Ok(file) => {
                    let draft = Self {
                        path: draft,
                        _lock: file,
                    };
                    owner_only(&draft._lock).map_err(|error| failed(&draft.path, error))?;
                    return Ok(draft);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&draft, error)),
            }
        }
        Err(failed(path, io::ErrorKind::AlreadyExists.into()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, durably. Fails if a file of that name exists.
    pub(crate) fn publish(self, path: &Path) -> Result<(), StoreError> {
        sync(&self.path).map_err(|error| failed(&self.path, error))?;
        match fs::hard_link(&self.path, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(crate::sqlite_error::not_a_database(
                    path,
                    "there is already a file",
                ));
            }
            result => result.map_err(|error| failed(path, error))?,
        }
        drop(self);
        match path.parent() {
            Some(folder) => sync(folder).map_err(|error| failed(folder, error)),
            None => Ok(()),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for suffix in ["-wal", "-shm", "-journal", ""] {
            // A file that cannot be removed is harmless: no code looks for it.
            fs::remove_file(with_suffix(&self.path, suffix)).ok();
        }
    }
}

/// Locks the draft. Sets the mode explicitly, because the umask may have removed bits of it.
fn owner_only(file: &File) -> io::Result<()> {
    file.lock()?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.sync_all()
}

fn failed(path: &Path, error: io::Error) -> StoreError {
    StoreError::system(format!("creating {}", path.display()), error)
}
