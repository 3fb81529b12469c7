//! Backups: a copy of the whole database in a file of its own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sqlx::SqliteConnection;
use zeph_memory::StoreError;

use crate::sqlite_error;

/// Writes the copy, and returns when it is on the disk.
pub(crate) async fn write(connection: &mut SqliteConnection, to: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::io(format!("writing {}", to.display()), error);
    let name = to.to_str().ok_or_else(|| {
        failed(io::Error::new(
            io::ErrorKind::InvalidFilename,
            "the name of a backup must be UTF-8",
        ))
    })?;
    // SQLite fills an empty file, and keeps its rights.
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600);
    let file = file.open(to).map_err(failed)?;
    let written = fill(connection, &file, name).await;
    if written.is_err() {
        // The file is this function's own.
        let _ = std::fs::remove_file(to);
    }
    written?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(failed)
}

async fn fill(
    connection: &mut SqliteConnection,
    file: &File,
    name: &str,
) -> Result<(), StoreError> {
    let failed = |error| sqlite_error::io("writing the backup", error);
    let copied = sqlx::query("VACUUM INTO ?1")
        .bind(name)
        .execute(connection)
        .await;
    copied.map_err(failed)?;
    let synced = file.sync_all();
    synced.map_err(|error| StoreError::io("writing the backup", error))
}
