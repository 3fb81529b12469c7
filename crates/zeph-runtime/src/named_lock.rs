//! Named locks: each is held by one run at a time, over all engines that share a store.
//!
//! With a folder of owners a lock is a file in it, which the operating system releases with the process. A
//! second file beside it says who holds the lock. Only that one is examined by readers, so that a reader never
//! stands in the way of a run. Without the folder no other process shares the store, and the locks are those of
//! this engine.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::OwnedMutexGuard;

use crate::owner::Owners;

/// The longest name of a holder that is read.
const MAX_HOLDER_BYTES: u64 = 200;
/// A thread that waits for a lock needs little.
const STACK_BYTES: usize = 256 << 10;

/// The name of a lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LockName(String);

impl LockName {
    /// The lock of a group.
    pub(crate) fn of_group(group: &str) -> Self {
        Self(format!("group-{}", hashed(group)))
    }

    /// The lock of those who may take a slot of a shared lane.
    pub(crate) fn of_turn(lane: &str) -> Self {
        Self(format!("lane-{}-turn", hashed(lane)))
    }

    /// The lock of one slot of a shared lane.
    pub(crate) fn of_slot(lane: &str, slot: u32) -> Self {
        Self(format!("lane-{}-{slot}", hashed(lane)))
    }
}

/// A text as a part of a file's name, also where names of files ignore case.
fn hashed(text: &str) -> String {
    let hash = blake3::hash(text.as_bytes()).to_hex();
    hash[..32].to_owned()
}

/// The locks of the engines that share a store.
#[derive(Clone, Debug)]
pub(crate) enum Locks {
    Files(Owners),
    Process(Arc<Mutex<BTreeMap<LockName, Arc<Slot>>>>),
}

/// A lock of one engine.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    lock: Arc<tokio::sync::Mutex<()>>,
    holder: Mutex<Option<String>>,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(crate) enum LockGuard {
    File {
        holder: Arc<File>,
        lock: Arc<File>,
    },
    Process {
        slot: Arc<Slot>,
        _guard: OwnedMutexGuard<()>,
    },
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        match self {
            // A process that has inherited the files does not hold the lock any longer. The name goes first.
            Self::File { holder, lock } => {
                let _ = holder.unlock();
                let _ = lock.unlock();
            }
            Self::Process { slot, .. } => slot.name(None),
        }
    }
}

impl LockGuard {
    /// Says for which run the lock is held.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn name(&mut self, run: &str) -> io::Result<()> {
        match self {
            Self::File { holder, .. } => {
                let mut holder: &File = holder;
                holder.set_len(0)?;
                holder.rewind()?;
                write!(holder, "{run}")
            }
            Self::Process { slot, .. } => {
                slot.name(Some(run.to_owned()));
                Ok(())
            }
        }
    }
}

impl LockGuard {
    /// The files of the lock. If this process is killed, the lock is held until the processes that have inherited
    /// them have ended.
    pub(crate) fn files(&self) -> Vec<Arc<File>> {
        match self {
            Self::File { holder, lock } => vec![Arc::clone(holder), Arc::clone(lock)],
            Self::Process { .. } => Vec::new(),
        }
    }
}

impl Slot {
    fn name(&self, holder: Option<String>) {
        *self.holder.lock().unwrap_or_else(PoisonError::into_inner) = holder;
    }
}

impl Locks {
    /// The locks in the folder of the owners, or those of this engine.
    pub(crate) fn new(owners: Option<&Owners>) -> Self {
        match owners {
            Some(owners) => Self::Files(owners.clone()),
            None => Self::Process(Arc::default()),
        }
    }

    /// Takes a lock for a run; `None` if another one holds it.
    ///
    /// # Errors
    /// If the folder or the file cannot be made or locked.
    pub(crate) fn try_lock(&self, name: &LockName, run: &str) -> io::Result<Option<LockGuard>> {
        let guard = match self {
            Self::Files(owners) => {
                let lock = owners.open_file(&owners.lock_file_of(name))?;
                match lock.try_lock() {
                    Ok(()) => owners.held(name, lock)?,
                    Err(TryLockError::WouldBlock) => return Ok(None),
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
            Self::Process(_) => {
                let slot = self.slot(name);
                let Ok(guard) = Arc::clone(&slot.lock).try_lock_owned() else {
                    return Ok(None);
                };
                LockGuard::Process {
                    slot,
                    _guard: guard,
                }
            }
        };
        named(guard, run).map(Some)
    }

    /// Takes a lock for a run as soon as it is free, and passes it on. The wait is one of the operating system, on
    /// a thread of its own, and cannot be broken off: a lock that is not needed any more is dropped when it comes.
    pub(crate) fn wait(
        &self,
        name: LockName,
        run: String,
        then: impl FnOnce(io::Result<LockGuard>) + Send + 'static,
    ) {
        let owners = match self {
            Self::Files(owners) => owners.clone(),
            Self::Process(_) => {
                let slot = self.slot(&name);
                tokio::spawn(async move {
                    let guard = Arc::clone(&slot.lock).lock_owned().await;
                    let guard = LockGuard::Process {
                        slot,
                        _guard: guard,
                    };
                    then(named(guard, &run));
                });
                return;
            }
        };
        // A thread that cannot be made is reported as an error of the lock.
        let then = Arc::new(Mutex::new(Some(then)));
        let once = Arc::clone(&then);
        let call = move |lock: io::Result<LockGuard>| {
            let then = once.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(then) = then {
                then(lock);
            }
        };
        let refused = call.clone();
        let waiting = thread::Builder::new()
            .name("zeph-lock".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || call(owners.wait(&name).and_then(|guard| named(guard, &run))));
        if let Err(error) = waiting {
            refused(Err(error));
        }
    }

    /// The run that holds a lock; `None` if it is free. It can be old by a moment.
    pub(crate) fn holder(&self, name: &LockName) -> Option<String> {
        match self {
            Self::Files(owners) => owners.holder_of(name),
            Self::Process(_) => {
                let slot = self.slot(name);
                let holder = slot.holder.lock().unwrap_or_else(PoisonError::into_inner);
                holder.clone()
            }
        }
    }

    fn slot(&self, name: &LockName) -> Arc<Slot> {
        let Self::Process(slots) = self else {
            return Arc::default();
        };
        let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(name.clone()).or_default())
    }
}

fn named(mut guard: LockGuard, run: &str) -> io::Result<LockGuard> {
    guard.name(run)?;
    Ok(guard)
}

impl Owners {
    /// The run that holds a group; `None` if none does. It can be old by a moment: a group is decided by its
    /// lock, and this text only informs.
    #[must_use]
    pub fn group_holder(&self, group: &str) -> Option<String> {
        self.holder_of(&LockName::of_group(group))
    }

    fn lock_file_of(&self, name: &LockName) -> PathBuf {
        self.dir().join(format!("{}.lock", name.0))
    }

    fn holder_file_of(&self, name: &LockName) -> PathBuf {
        self.dir().join(format!("{}.holder", name.0))
    }

    fn wait(&self, name: &LockName) -> io::Result<LockGuard> {
        let lock = self.open_file(&self.lock_file_of(name))?;
        lock_blocking(&lock)?;
        self.held(name, lock)
    }

    /// The guard of a file that is locked. A reader holds the second file for a moment only.
    fn held(&self, name: &LockName, lock: File) -> io::Result<LockGuard> {
        let holder = self.open_file(&self.holder_file_of(name))?;
        lock_blocking(&holder)?;
        Ok(LockGuard::File {
            holder: Arc::new(holder),
            lock: Arc::new(lock),
        })
    }

    pub(crate) fn holder_of(&self, name: &LockName) -> Option<String> {
        let path = self.holder_file_of(name);
        // A link would lead to a file of others.
        let is_file = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
        let file = is_file.then(|| File::open(&path).ok()).flatten()?;
        if file.try_lock_shared().is_ok() {
            return None;
        }
        let mut text = String::new();
        file.take(MAX_HOLDER_BYTES).read_to_string(&mut text).ok()?;
        Some(text.trim().to_owned())
    }
}

fn lock_blocking(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{LockName, Locks};
    use crate::owner::Owners;

    fn both(folder: &Path) -> [Locks; 2] {
        let owners = Owners::beside(&folder.join("runs.db"));
        [Locks::new(Some(&owners)), Locks::new(None)]
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_lock_has_one_holder_and_passes_to_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        for locks in both(folder.path()) {
            let name = LockName::of_group("nightly");
            assert_eq!(locks.holder(&name), None);
            let first = locks.try_lock(&name, "n-1").expect("works");
            let mut first = first.expect("is free");
            assert!(locks.try_lock(&name, "n-2").expect("works").is_none());
            assert_eq!(locks.holder(&name).as_deref(), Some("n-1"));
            first.name("n").expect("works");
            assert_eq!(locks.holder(&name).as_deref(), Some("n"));
            let other = LockName::of_group("Nightly");
            assert!(locks.try_lock(&other, "n-3").expect("works").is_some());

            let (sender, received) = mpsc::channel();
            locks.wait(name.clone(), "n-2".to_owned(), move |lock| {
                let _ = sender.send(lock);
            });
            let early = received.recv_timeout(Duration::from_millis(50));
            assert!(early.is_err(), "the lock is held");
            drop(first);
            let second = received.recv_timeout(Duration::from_secs(60));
            let second = second.expect("its turn comes").expect("works");
            assert_eq!(locks.holder(&name).as_deref(), Some("n-2"));
            drop(second);
            assert_eq!(locks.holder(&name), None);
        }
    }

    #[test]
    fn the_files_of_locks_are_private_and_no_links() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let [locks, _] = both(folder.path());
        let name = LockName::of_group("nightly");
        let guard = locks.try_lock(&name, "n-1").expect("works");
        let files = folder.path().join("runs.db.owners");
        for file in files.read_dir().expect("is there").flatten() {
            let mode = file.metadata().expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file:?}");
            std::fs::remove_file(file.path()).expect("is removed");
        }
        drop(guard);
        let target = folder.path().join("target");
        std::fs::write(&target, "kept").expect("is written");
        symlink(&target, files.join(format!("{}.lock", name.0))).expect("is linked");
        let error = locks.try_lock(&name, "n-1").expect_err("is refused");
        assert!(error.to_string().contains("a link"), "{error}");
        assert_eq!(std::fs::read(&target).expect("is there"), b"kept");
    }
}
