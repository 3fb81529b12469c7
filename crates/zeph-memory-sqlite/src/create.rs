//! Creation of a database: it is written under a temporary name and then linked to its own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use sqlx::Connection;
use zeph_memory::StoreError;

use crate::connect;
use crate::database_file::with_suffix;
use crate::options::SqliteOptions;
use crate::schema;

/// Creates an empty database with the newest schema. A database that another process created first is kept.
pub(crate) async fn create(path: &Path, options: &SqliteOptions) -> Result<(), StoreError> {
    make_folder(path)?;
    let draft = Draft::beside(path)?;
    let mut connection = connect::writer(draft.path(), options).await?;
    schema::check_library(path, &mut connection).await?;
    schema::migrate(path, &mut connection).await?;
    // Closing writes the log back into the file, which is then complete by itself.
    connection
        .close()
        .await
        .map_err(|error| StoreError::io("closing the new database", error))?;
    match draft.publish(path) {
        Err(StoreError::NotADatabase { .. }) => Ok(()),
        result => result,
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
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| StoreError::io(format!("creating {}", folder.display()), error))
}

/// A file under a temporary name, removed unless it is published.
#[derive(Debug)]
pub(crate) struct Draft(PathBuf);

impl Draft {
    /// An empty file beside that path that only its owner may read, with any umask.
    pub(crate) fn beside(path: &Path) -> Result<Self, StoreError> {
        let pid = std::process::id();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // A name exists if an earlier process with this id was killed here.
        for n in 0..1_000_u32 {
            let draft = with_suffix(path, &format!(".new-{pid}-{n}"));
            match options.open(&draft) {
                Ok(file) => {
                    owner_only(&file).map_err(|error| failed(&draft, error))?;
                    return Ok(Self(draft));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&draft, error)),
            }
        }
        Err(failed(path, io::ErrorKind::AlreadyExists.into()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the file its name, durably. Fails if a file of that name exists.
    pub(crate) fn publish(self, path: &Path) -> Result<(), StoreError> {
        let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        sync(&self.0).map_err(|error| failed(&self.0, error))?;
        match fs::hard_link(&self.0, path) {
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
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // A file that cannot be removed is harmless: no code looks for it.
            fs::remove_file(with_suffix(&self.0, suffix)).ok();
        }
    }
}

/// Sets the mode explicitly, because the umask may have removed bits of it.
fn owner_only(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.sync_all()
}

fn failed(path: &Path, error: io::Error) -> StoreError {
    if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        StoreError::Full {
            source: error.into(),
        }
    } else {
        StoreError::io(format!("creating {}", path.display()), error)
    }
}
