//! The plan cache in a folder: one file for each answer, replaced atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::{CacheError, PlanKey};

/// The version of the files.
const VERSION: u32 = 2;
/// Larger files are not read.
const MAX_BYTES: u64 = 64 << 20;

/// Stores each answer in a file of its own, named after its key.
///
/// A file is written under another name, flushed and renamed, so a crash leaves the old file or the new
/// one. Files have mode 0600, the folder 0700. Each file has a hash of its answer. A file that does not
/// match its hash, has a newer version or is no JSON is reported as damaged; one of an older version
/// counts as absent. The next plan replaces both. The cache removes no files.
///
/// Reading and writing block the thread for the time that a small file takes.
#[derive(Debug)]
pub struct FolderCache(PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    version: u32,
    key: String,
    /// The BLAKE3 hash of the answer, in hexadecimal.
    hash: String,
    answer: String,
}

/// The version of an entry whose other fields may be unknown.
#[derive(Deserialize)]
struct Probe {
    version: u32,
}

impl FolderCache {
    /// A cache in that folder, which is created with the first plan.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The answer under a key; `None` if there is none, or one of an older version of the cache.
    ///
    /// # Errors
    /// If the entry cannot be read.
    pub fn get(&self, key: &PlanKey) -> Result<Option<String>, CacheError> {
        let path = self.path(key);
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        match answer_of(&bytes, key) {
            Ok(answer) => Ok(answer),
            Err(why) => Err(CacheError::Damaged { path, why }),
        }
    }

    /// Stores an answer under a key, replacing the one before.
    ///
    /// # Errors
    /// If it cannot be written; the answer before is then intact.
    pub fn put(&self, key: &PlanKey, answer: &str) -> Result<(), CacheError> {
        let path = self.path(key);
        let entry = Entry {
            version: VERSION,
            key: key.to_string(),
            hash: hash(answer),
            answer: answer.to_owned(),
        };
        let bytes = serde_json::to_vec(&entry).map_err(|error| failed(&path)(error.into()))?;
        write(&self.0, &path, &bytes).map_err(failed(&path))
    }

    fn path(&self, key: &PlanKey) -> PathBuf {
        self.0.join(format!("{key}.json"))
    }
}

fn hash(answer: &str) -> String {
    blake3::hash(answer.as_bytes()).to_hex().to_string()
}

fn failed(path: &Path) -> impl Fn(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError::Io {
        path: path.clone(),
        source,
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, CacheError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path)(error)),
    };
    let mut bytes = Vec::new();
    let mut file = file.take(MAX_BYTES + 1);
    file.read_to_end(&mut bytes).map_err(failed(path))?;
    Ok(Some(bytes))
}

/// The answer of an entry, `None` if an older version wrote it, or what is wrong with the entry.
fn answer_of(bytes: &[u8], key: &PlanKey) -> Result<Option<String>, String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("expected at most {MAX_BYTES} bytes"));
    }
    let probe = serde_json::from_slice(bytes);
    if probe.is_ok_and(|Probe { version }| version < VERSION) {
        return Ok(None);
    }
    let entry: Entry = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if entry.version != VERSION {
        return Err(format!(
            "expected version {VERSION}, found {}",
            entry.version
        ));
    }
    if entry.key != key.as_str() {
        return Err("it belongs to another key".to_owned());
    }
    if entry.hash != hash(&entry.answer) {
        return Err("its answer does not match its hash".to_owned());
    }
    Ok(Some(entry.answer))
}

/// Writes a temporary file and renames it to its final name.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    make_folder(folder)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        fs::remove_file(&temporary).ok();
        return written;
    }
    // Some file systems cannot flush a folder. A power cut may then bring back the old file, which
    // counts as a miss.
    File::open(folder).and_then(|folder| folder.sync_all()).ok();
    Ok(())
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
