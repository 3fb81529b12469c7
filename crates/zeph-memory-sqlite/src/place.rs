//! The file below a store: what lies there before it is opened, and whether it is still there after.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeph_memory::StoreError;

use crate::fault::not_a_database;
use crate::schema::APPLICATION_ID;

/// What lies at a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A database of ours, as far as its first bytes tell.
    Ours,
}

/// Looks at a path without changing anything. Whatever is not ours is an error.
pub(crate) fn look(path: &Path) -> Result<Found, StoreError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return look_beside(path),
        Err(error) => {
            return Err(StoreError::io(
                format!("looking at {}", path.display()),
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
    look_inside(path)
}

/// A log without its database would be replayed into a new one and ruin it.
fn look_beside(path: &Path) -> Result<Found, StoreError> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(not_a_database(
            path,
            "it is a symbolic link that leads nowhere",
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
fn look_inside(path: &Path) -> Result<Found, StoreError> {
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
    Ok(Found::Ours)
}

/// The path made absolute, so that a later change of folder does not matter and no path looks like an URI.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    if path.as_os_str().is_empty() {
        return Err(not_a_database(path, "the path is empty"));
    }
    let path = std::path::absolute(path)
        .map_err(|error| StoreError::io(format!("finding {}", path.display()), error))?;
    speakable(path)
}

/// The one name of a file that exists: links are followed, as SQLite does for the log beside it.
pub(crate) fn real(path: &Path) -> Result<PathBuf, StoreError> {
    let path = fs::canonicalize(path)
        .map_err(|error| StoreError::io(format!("finding {}", path.display()), error))?;
    speakable(path)
}

fn speakable(path: PathBuf) -> Result<PathBuf, StoreError> {
    if path.to_str().is_some() {
        Ok(path)
    } else {
        Err(not_a_database(
            &path,
            "SQLite takes only paths that are valid UTF-8",
        ))
    }
}

/// The path with something appended to the file name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Remembers which file was opened.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
    identity: Identity,
}

impl Place {
    /// The file that lies at the path now.
    pub(crate) fn of(path: PathBuf) -> Result<Self, StoreError> {
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

    /// Fails when the path no longer leads to the file that was opened: what is written to a deleted
    /// file is lost with the last handle to it.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let still =
            fs::metadata(&self.path).is_ok_and(|metadata| Identity::of(&metadata) == self.identity);
        if still {
            Ok(())
        } else {
            Err(StoreError::Replaced {
                path: self.path.clone(),
            })
        }
    }
}

/// What tells two files of one path apart.
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
