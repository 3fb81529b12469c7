//! A new database appears whole or not at all: it is made under another name and then given its own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use sqlx::Connection;
use zeph_memory::StoreError;

use crate::connect;
use crate::options::SqliteOptions;
use crate::place::with_suffix;
use crate::schema;

/// Makes an empty database of the newest schema. If another process is faster, its database stays.
pub(crate) async fn create(path: &Path, options: &SqliteOptions) -> Result<(), StoreError> {
    make_folder(path)?;
    let draft = Draft::beside(path)?;
    let mut connection = connect::writer(draft.path(), options).await?;
    schema::check_library(path, &mut connection).await?;
    schema::migrate(path, &mut connection).await?;
    // Closing writes the log back into the file, which then stands on its own.
    connection
        .close()
        .await
        .map_err(|error| StoreError::io("closing the new database", error))?;
    match draft.publish(path) {
        Err(StoreError::NotADatabase { .. }) => Ok(()),
        result => result,
    }
}

/// The folder, for its owner only, when it is not there yet.
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

/// A file under a name of its own, which is removed unless it is published.
#[derive(Debug)]
pub(crate) struct Draft(PathBuf);

impl Draft {
    /// An empty file beside that path, which only its owner may read, whatever the umask.
    pub(crate) fn beside(path: &Path) -> Result<Self, StoreError> {
        let pid = std::process::id();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // A name is taken when an earlier process of that number was killed here.
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

    /// Gives the file its name, durably. What has that name already stays, and is an error.
    pub(crate) fn publish(self, path: &Path) -> Result<(), StoreError> {
        let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        sync(&self.0).map_err(|error| failed(&self.0, error))?;
        match fs::hard_link(&self.0, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(crate::fault::not_a_database(
                    path,
                    "something is there already",
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
            // What cannot be removed is harmless: nothing looks for it.
            fs::remove_file(with_suffix(&self.0, suffix)).ok();
        }
    }
}

/// The umask can only take bits away from the mode that a file is created with.
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
