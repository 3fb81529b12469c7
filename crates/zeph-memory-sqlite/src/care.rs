//! Care of a database: backups, and the size of its write-ahead log.

use std::path::Path;

use zeph_memory::StoreError;

use crate::create::Draft;
use crate::fault;
use crate::place::{absolute, with_suffix};
use crate::store::SqliteStore;

/// What became of the attempt to write the log back into the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checkpoint {
    /// All of it was written back, and the log is empty.
    Done,
    /// Somebody is reading, or writing, for longer than the busy timeout; nothing is wrong.
    Blocked,
}

impl SqliteStore {
    /// Copies the database to a new file, as of one moment, while others read and write.
    ///
    /// The copy stands on its own, only its owner may read it, and it is there whole or not at all.
    ///
    /// # Errors
    /// [`StoreError::NotADatabase`] when something is at the path already: nothing is overwritten.
    pub async fn backup(&self, to: impl AsRef<Path>) -> Result<(), StoreError> {
        let to = absolute(to.as_ref())?;
        if to.symlink_metadata().is_ok() {
            return Err(fault::not_a_database(&to, "something is there already"));
        }
        let draft = Draft::beside(&to)?;
        // The path is valid UTF-8, as `absolute` made sure.
        let target = draft.path().to_string_lossy().into_owned();
        let mut connection = self.reader().await?;
        let copied = sqlx::query("VACUUM INTO ?1")
            .bind(target)
            .execute(&mut *connection)
            .await;
        copied.map_err(|error| fault::io("copying the database", error))?;
        draft.publish(&to)
    }

    /// Writes the log back into the database and empties it.
    ///
    /// It happens by itself as the log grows; calling it makes sense before the file is copied by
    /// other means, or when [`SqliteStore::wal_bytes`] stays large.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.write(|writer| Box::pin(writer.checkpoint())).await
    }

    /// How large the write-ahead log is; 0 when there is none.
    ///
    /// It stays near 4 MiB, or the size of the largest commit, unless somebody keeps a read
    /// transaction open.
    #[must_use]
    pub fn wal_bytes(&self) -> u64 {
        std::fs::metadata(with_suffix(self.path(), "-wal")).map_or(0, |metadata| metadata.len())
    }
}
