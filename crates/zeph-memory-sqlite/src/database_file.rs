//! The database file: checks before it is opened, and whether it is still the same file afterwards.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeph_memory::StoreError;

use crate::create;
use crate::schema::APPLICATION_ID;
use crate::sqlite_error::not_a_database;

/// The kind of file at a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no file.
    Nothing,
    /// A run database, according to its first bytes.
    RunDatabase,
}

/// Inspects a path without changing it. Any file but a run database is an error.
pub(crate) fn inspect(path: &Path) -> Result<Found, StoreError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return inspect_missing(path),
        Err(error) => {
            return Err(StoreError::io(
                format!("inspecting {}", path.display()),
                error,
            ));
        }
    };
    if metadata.is_dir() {
        return Err(not_a_database(path, "it is a folder"));
    }
    if !metadata.is_file() {
        return Err(not_a_database(path, "it is not a regular file"));
    }
    if metadata.len() == 0 {
        return Err(not_a_database(
            path,
            "the file is empty (delete it to start a new database there)",
        ));
    }
    if create::has_other_names(path, &metadata) {
        return Err(not_a_database(
            path,
            "it has a second name (a hard link), and each name would have a log of its own (copy the file \
             instead)",
        ));
    }
    inspect_header(path)
}

/// Fails if the file belongs to a user who is neither that of this process nor root: its runs may be made to
/// execute what that user likes.
pub(crate) fn check_owner(path: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(path)
        .map_err(|error| StoreError::io(format!("inspecting {}", path.display()), error))?;
    let owner = metadata.uid();
    if owner == 0 || owner == nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    let why = format!(
        "it belongs to another user (number {owner}), who decides what its runs execute (read it, or copy it to \
         a file of your own)"
    );
    Err(not_a_database(path, why))
}

/// SQLite would apply a log without its database to a new database and damage it.
fn inspect_missing(path: &Path) -> Result<Found, StoreError> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(not_a_database(
            path,
            "it is a symbolic link whose target does not exist",
        ));
    }
    for suffix in ["-wal", "-journal"] {
        let beside = with_suffix(path, suffix);
        if fs::metadata(&beside).is_ok_and(|metadata| metadata.len() > 0) {
            return Err(not_a_database(
                &beside,
                "it is a log whose database is missing",
            ));
        }
    }
    Ok(Found::Nothing)
}

/// The header of a SQLite file: https://www.sqlite.org/fileformat.html#the_database_header
fn inspect_header(path: &Path) -> Result<Found, StoreError> {
    let mut header = [0; 100];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(not_a_database(path, "the file is too short"));
        }
        Err(error) => return Err(StoreError::io(format!("reading {}", path.display()), error)),
        Ok(()) => {}
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(not_a_database(path, "it is not a SQLite file"));
    }
    let application = u32::from_be_bytes([header[68], header[69], header[70], header[71]]);
    if application != APPLICATION_ID {
        let why = format!("it is a SQLite database of another application (id {application:#x})");
        return Err(not_a_database(path, why));
    }
    Ok(Found::RunDatabase)
}

/// The absolute path, so that a later change of the working folder has no effect and no path looks like a
/// URI.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    if path.as_os_str().is_empty() {
        return Err(not_a_database(path, "the path is empty"));
    }
    let path = std::path::absolute(path)
        .map_err(|error| StoreError::io(format!("finding {}", path.display()), error))?;
    utf8(path)
}

/// The path of an existing file without links, as SQLite resolves it for the log beside it.
pub(crate) fn real(path: &Path) -> Result<PathBuf, StoreError> {
    let path = fs::canonicalize(path)
        .map_err(|error| StoreError::io(format!("finding {}", path.display()), error))?;
    utf8(path)
}

fn utf8(path: PathBuf) -> Result<PathBuf, StoreError> {
    if path.to_str().is_some() {
        Ok(path)
    } else {
        Err(not_a_database(
            &path,
            "SQLite accepts only paths that are valid UTF-8",
        ))
    }
}

/// The path with a suffix on the file name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The path and the identity of the opened file.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    identity: Identity,
}

impl DatabaseFile {
    /// The file that is at the path now.
    pub(crate) fn opened(path: PathBuf) -> Result<Self, StoreError> {
        let metadata =
            fs::metadata(&path).map_err(|_| StoreError::Replaced { path: path.clone() })?;
        Ok(Self {
            identity: Identity::of(&metadata),
            path,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the path no longer names the file that was opened: writes to a deleted file are lost with
    /// its last handle.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let is_same =
            fs::metadata(&self.path).is_ok_and(|metadata| Identity::of(&metadata) == self.identity);
        if is_same {
            Ok(())
        } else {
            Err(StoreError::Replaced {
                path: self.path.clone(),
            })
        }
    }
}

/// Distinguishes two files that had the same path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
    #[cfg(not(unix))]
    created: Option<std::time::SystemTime>,
}

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device_and_inode: (metadata.dev(), metadata.ino()),
        }
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        Self {
            created: metadata.created().ok(),
        }
    }
}
