//! Ownership: a lock file per engine, which the operating system releases with the process.
//!
//! Each engine holds a lock file named after its epoch in the store; a run names the epoch of its
//! owner. If the lock can be taken, the owner's process has ended, even if its pid is in use again.
//! Beside the lock is a socket on which the owner accepts requests.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use zeph_memory::Fence;

use crate::message::Message;
use crate::socket;

/// The longest text of a lock that is read.
const MAX_NAME_BYTES: u64 = 200;

/// A lock may be a moment old before it is taken.
const LEFTOVER_AGE: Duration = Duration::from_secs(60);

/// The folder with the locks and sockets of the processes that own runs of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    dir: PathBuf,
}

impl Owners {
    /// The folder beside a database file: its path with `.owners` appended.
    #[must_use]
    pub fn beside(database: &Path) -> Self {
        let mut dir = database.as_os_str().to_owned();
        dir.push(".owners");
        Self { dir: dir.into() }
    }

    /// The process that holds an epoch, as text for people; `None` if it has ended, or never existed.
    ///
    /// A lock that cannot be examined counts as held: taking a run from a living owner is the worse
    /// mistake.
    #[must_use]
    pub fn holder(&self, epoch: u64) -> Option<String> {
        let path = self.lock_path(epoch);
        let unexamined = |error: io::Error| Some(format!("{}: {error}", path.display()));
        // A link would lead to a file of others.
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return unexamined(io::Error::other("it is not a file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return unexamined(error),
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return unexamined(error),
        };
        match file.try_lock_shared() {
            Ok(()) => {
                // An epoch is used once, so its files are of no further use.
                let _ = fs::remove_file(self.socket_path(epoch));
                let _ = fs::remove_file(path);
                None
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {
                let mut text = String::new();
                let _ = file.take(MAX_NAME_BYTES).read_to_string(&mut text);
                Some(text.trim().to_owned())
            }
        }
    }

    /// The epochs that have a lock, each with its process; `None` if that has ended. The files of an ended
    /// process are removed.
    #[must_use]
    pub fn holders(&self) -> Vec<(u64, Option<String>)> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let epochs = entries.filter_map(|entry| epoch_of(&entry.file_name()));
        let holders = epochs.map(|epoch| (epoch, self.holder(epoch)));
        holders.collect()
    }

    pub(crate) async fn acquire(
        &self,
        fence: Fence,
        engine: mpsc::WeakSender<Message>,
    ) -> io::Result<OwnerLock> {
        let path = self.lock_path(fence.epoch);
        self.remove_leftovers(fence.epoch);
        let mut file = self.lock_file(&path).await?;
        file.set_len(0)?;
        writeln!(file, "pid {}", std::process::id())?;
        let socket = self.socket_path(fence.epoch);
        let server = match bind(&socket) {
            Ok(listener) => Some(tokio::spawn(socket::serve(listener, engine)).abort_handle()),
            // Requests of other processes then fail with a reason.
            Err(error) => {
                tracing::warn!(path = %socket.display(), %error, "the control socket cannot be made: other processes cannot reach this one");
                None
            }
        };
        Ok(OwnerLock {
            path,
            socket,
            server,
            _file: file,
        })
    }

    /// Opens and locks the lock file.
    async fn lock_file(&self, path: &Path) -> io::Result<File> {
        loop {
            let file = self.open_file(path)?;
            lock(&file, path).await?;
            // A process that found the file before it was locked took it for a leftover.
            if file.metadata()?.nlink() > 0 {
                return Ok(file);
            }
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Opens a file of this folder for writing, and makes it with mode 0600 if it is not there. The folder is made,
    /// too; only this user can change it.
    pub(crate) fn open_file(&self, path: &Path) -> io::Result<File> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        let folder = fs::symlink_metadata(&self.dir)?;
        let refused = |why: &str| {
            let name = self.dir.display();
            io::Error::new(io::ErrorKind::PermissionDenied, format!("{name} {why}"))
        };
        if !folder.is_dir() || folder.mode() & 0o077 != 0 {
            let why =
                "is not a folder that only its owner can enter: remove it, or set its mode to 0700";
            return Err(refused(why));
        }
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        // A new file is made without following a link.
        let file = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Left by the owner of a database that was replaced, or by an earlier holder of a lock.
                if !fs::symlink_metadata(path)?.is_file() {
                    return Err(refused("has a link in the place of a lock"));
                }
                options.open(path)?
            }
            opened => opened?,
        };
        if file.metadata()?.uid() != folder.uid() {
            let _ = fs::remove_file(path);
            return Err(refused("belongs to another user"));
        }
        Ok(file)
    }

    /// Removes the locks and sockets of processes that were killed.
    fn remove_leftovers(&self, own: u64) {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for entry in entries {
            let epoch = epoch_of(&entry.file_name());
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|modified| modified.elapsed().ok());
            if let Some(epoch) = epoch
                && epoch != own
                && age.is_some_and(|age| age > LEFTOVER_AGE)
            {
                let _ = self.holder(epoch);
            }
        }
    }

    pub(crate) fn socket_path(&self, epoch: u64) -> PathBuf {
        self.dir.join(format!("{epoch}.sock"))
    }

    fn lock_path(&self, epoch: u64) -> PathBuf {
        self.dir.join(format!("{epoch}.lock"))
    }
}

/// The epoch of a lock file.
fn epoch_of(name: &OsStr) -> Option<u64> {
    name.to_str()?.strip_suffix(".lock")?.parse().ok()
}

/// An epoch is used once, so the lock is free, except while another process examines it, briefly, or if
/// it belongs to the owner of a database that was replaced.
async fn lock(file: &File, path: &Path) -> io::Result<()> {
    const TRIES: u32 = 50;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
    let name = path.display();
    let why = format!("{name} is locked by the owner of another database that was at this path");
    Err(io::Error::new(io::ErrorKind::WouldBlock, why))
}

/// Binds the socket. The folder has mode 0700 already, so no other user can connect before the chmod.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

/// Held while an engine works. The operating system releases the lock with the process.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    path: PathBuf,
    socket: PathBuf,
    server: Option<AbortHandle>,
    _file: File,
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
        let _ = fs::remove_file(&self.socket);
        let _ = fs::remove_file(&self.path);
    }
}
