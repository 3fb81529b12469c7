//! System calls on files: their kind, the file, and the data in the memory of the process.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::Pid;

/// The kind of a call, named by the field's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallKind {
    /// Opens or creates a file.
    Open,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Changes the size of a file.
    Truncate,
    /// Waits until a file or folder is on the disk.
    Sync,
    /// Gives a file another name.
    Link,
    /// Changes a name.
    Rename,
    /// Removes a name.
    Unlink,
    /// Makes a folder.
    Mkdir,
    /// Takes a lock.
    Lock,
    /// Maps a file into memory.
    Map,
}

impl CallKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Open,
        Self::Read,
        Self::Write,
        Self::Truncate,
        Self::Sync,
        Self::Link,
        Self::Rename,
        Self::Unlink,
        Self::Mkdir,
        Self::Lock,
        Self::Map,
    ];

    /// Its name in descriptions of faults.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Truncate => "truncate",
            Self::Sync => "sync",
            Self::Link => "link",
            Self::Rename => "rename",
            Self::Unlink => "unlink",
            Self::Mkdir => "mkdir",
            Self::Lock => "lock",
            Self::Map => "map",
        }
    }
}

/// A call that a thread is about to make, or has made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The thread.
    pub(super) thread: Pid,
    /// The kind.
    pub(super) kind: CallKind,
    /// The file, or the name that is removed or changed.
    pub(super) path: PathBuf,
    /// The new name of a link or a rename.
    pub(super) to: PathBuf,
    number: i64,
    arguments: [u64; 6],
}

/// Where a call names its file.
enum Named {
    /// By a descriptor, its first argument.
    Descriptor,
    /// By a path in the working folder: the position of the argument.
    Path(usize),
    /// By a folder's descriptor and a path below it: the position of the descriptor.
    Below(usize),
}

impl Call {
    /// The call that the registers name; `None` if it does not concern files.
    pub(super) fn decode(
        thread: Pid,
        registers: &libc::user_regs_struct,
        folder: &Path,
    ) -> Option<Self> {
        use CallKind as K;
        use Named::{Below, Descriptor, Path};
        let number = registers.orig_rax.cast_signed();
        let (kind, file, to) = match number {
            libc::SYS_open | libc::SYS_creat => (K::Open, Path(0), None),
            libc::SYS_openat => (K::Open, Below(0), None),
            libc::SYS_read | libc::SYS_pread64 => (K::Read, Descriptor, None),
            libc::SYS_write | libc::SYS_pwrite64 => (K::Write, Descriptor, None),
            libc::SYS_ftruncate => (K::Truncate, Descriptor, None),
            libc::SYS_fsync | libc::SYS_fdatasync => (K::Sync, Descriptor, None),
            libc::SYS_link => (K::Link, Path(0), Some(Path(1))),
            libc::SYS_linkat => (K::Link, Below(0), Some(Below(2))),
            libc::SYS_rename => (K::Rename, Path(0), Some(Path(1))),
            libc::SYS_renameat | libc::SYS_renameat2 => (K::Rename, Below(0), Some(Below(2))),
            libc::SYS_unlink | libc::SYS_rmdir => (K::Unlink, Path(0), None),
            libc::SYS_unlinkat => (K::Unlink, Below(0), None),
            libc::SYS_mkdir => (K::Mkdir, Path(0), None),
            libc::SYS_mkdirat => (K::Mkdir, Below(0), None),
            libc::SYS_flock | libc::SYS_fcntl => (K::Lock, Descriptor, None),
            libc::SYS_mmap => (K::Map, Descriptor, None),
            _ => return None,
        };
        let r = registers;
        let mut call = Self {
            thread,
            kind,
            path: PathBuf::new(),
            to: PathBuf::new(),
            number,
            arguments: [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9],
        };
        if number == libc::SYS_mmap {
            // The descriptor of a map is its fifth argument.
            call.arguments.swap(0, 4);
        }
        if kind == K::Lock && !call.takes_a_lock() {
            return None;
        }
        call.path = call.named(&file, folder)?;
        if let Some(to) = to {
            call.to = call.named(&to, folder)?;
        }
        Some(call)
    }

    /// The descriptor in the first argument.
    pub(super) fn descriptor(&self) -> i32 {
        // A descriptor is an `int`: the upper half of the register has no meaning.
        self.arguments[0] as u32 as i32
    }

    /// The number of bytes that are to be read or written.
    pub(super) const fn length(&self) -> u64 {
        self.arguments[2]
    }

    /// The new size that a truncation asks for.
    pub(super) const fn size(&self) -> u64 {
        self.arguments[1]
    }

    /// The bytes that were written.
    pub(super) fn written(&self, length: u64) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let memory = File::open(format!("/proc/{}/mem", self.thread))?;
        memory.read_exact_at(&mut bytes, self.arguments[1])?;
        Ok(bytes)
    }

    /// Where a write begins, before it is made.
    pub(super) fn position(&self) -> Option<u64> {
        if self.number == libc::SYS_pwrite64 {
            return Some(self.arguments[3]);
        }
        let path = format!("/proc/{}/fdinfo/{}", self.thread, self.descriptor());
        let text = fs::read_to_string(path).ok()?;
        let position = text.lines().find_map(|line| line.strip_prefix("pos:"))?;
        position.trim().parse().ok()
    }

    /// The device and the inode of the file of a descriptor.
    pub(super) fn inode(&self, descriptor: i64) -> Option<(u64, u64)> {
        let path = format!("/proc/{}/fd/{descriptor}", self.thread);
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }

    /// Whether a lock call takes a lock; one that gives a lock back cannot fail.
    fn takes_a_lock(&self) -> bool {
        let [_, command, lock, ..] = self.arguments;
        let Ok(command) = i32::try_from(command) else {
            return false;
        };
        if self.number == libc::SYS_flock {
            return command & libc::LOCK_UN == 0;
        }
        let sets = [
            libc::F_SETLK,
            libc::F_SETLKW,
            libc::F_OFD_SETLK,
            libc::F_OFD_SETLKW,
        ];
        let unlocks = (libc::F_UNLCK as i16).to_ne_bytes();
        let is_unlock = || self.text_at(lock, 2).is_some_and(|kind| kind == unlocks);
        sets.contains(&command) && !is_unlock()
    }

    fn named(&self, file: &Named, folder: &Path) -> Option<PathBuf> {
        match *file {
            Named::Descriptor => self.path_of(self.descriptor()),
            Named::Path(at) => Some(folder.join(self.path_at(self.arguments[at])?)),
            Named::Below(at) => {
                let path = self.path_at(self.arguments[at + 1])?;
                let below = self.arguments[at] as u32 as i32;
                if path.is_absolute() || below == libc::AT_FDCWD {
                    return Some(folder.join(path));
                }
                Some(self.path_of(below)?.join(path))
            }
        }
    }

    fn path_of(&self, descriptor: i32) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/fd/{descriptor}", self.thread)).ok()
    }

    fn path_at(&self, address: u64) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStringExt as _;
        let mut bytes = self.text_at(address, libc::PATH_MAX as usize)?;
        bytes.truncate(bytes.iter().position(|&byte| byte == 0)?);
        Some(std::ffi::OsString::from_vec(bytes).into())
    }

    /// Up to `most` bytes: the memory may end before.
    fn text_at(&self, address: u64, most: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; most];
        let memory = File::open(format!("/proc/{}/mem", self.thread)).ok()?;
        let read = memory.read_at(&mut bytes, address).ok()?;
        bytes.truncate(read);
        Some(bytes)
    }
}
