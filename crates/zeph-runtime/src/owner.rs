//! Ownership: who works on a run, told by a lock that dies with its process, and how to reach them.
//!
//! Each engine holds a lock file named after its epoch in the store; a run names the epoch of its
//! owner. A lock that can be taken belongs to nobody: its process is gone, whatever its pid is used
//! for today. Beside the lock lies a socket on which the owner takes requests.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use zeph_memory::Fence;

use crate::engine::Message;
use crate::socket;

/// The folder in which the owners of a store's runs are found.
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

    /// Who holds that epoch; `None` if its process is gone, or there never was one. A lock that cannot
    /// be looked at counts as held: taking a run from a living owner is the worse mistake.
    #[must_use]
    pub fn holder(&self, epoch: u64) -> Option<String> {
        let path = self.lock_path(epoch);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some(format!("{}: {error}", path.display())),
        };
        match file.try_lock_shared() {
            Ok(()) => {
                // Nobody can come back to this epoch: it is used once.
                let _ = fs::remove_file(self.socket_path(epoch));
                let _ = fs::remove_file(path);
                None
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                Some(text.trim().to_owned())
            }
        }
    }

    pub(crate) async fn acquire(
        &self,
        fence: Fence,
        engine: mpsc::WeakSender<Message>,
    ) -> io::Result<OwnerLock> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        let path = self.lock_path(fence.epoch);
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        lock(&file, &path).await?;
        file.set_len(0)?;
        writeln!(file, "pid {}", std::process::id())?;
        let socket = self.socket_path(fence.epoch);
        let server = match bind(&socket) {
            Ok(listener) => Some(tokio::spawn(socket::serve(listener, engine)).abort_handle()),
            // Requests then go to the inbox, and are read when the run is resumed.
            Err(error) => {
                tracing::warn!(path = %socket.display(), %error, "other processes cannot reach this one");
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

    pub(crate) fn socket_path(&self, epoch: u64) -> PathBuf {
        self.dir.join(format!("{epoch}.sock"))
    }

    fn lock_path(&self, epoch: u64) -> PathBuf {
        self.dir.join(format!("{epoch}.lock"))
    }
}

/// An epoch is used once, so only somebody who looks whether it is held can be in the way, briefly; or
/// an owner from before the database was replaced, and then there is no use in waiting.
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
    let why = format!("{name} is held by the owner of another database that was at this path");
    Err(io::Error::new(io::ErrorKind::WouldBlock, why))
}

/// The folder is closed to others before the socket is in it.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

/// Held while an engine works. The lock goes with the process, however it ends.
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
