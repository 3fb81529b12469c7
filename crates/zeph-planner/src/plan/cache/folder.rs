//! A cache in a folder: one file for each plan, whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{CacheError, PlanCache, PlanKey};

/// The version of the files.
const VERSION: u32 = 1;
/// No file is read that is larger.
const MOST_BYTES: u64 = 64 << 20;

/// Keeps each plan in a file of its own, named after its key.
///
/// Files are written beside their place, flushed and moved there, so a crash leaves the old one or
/// the new one. They are 0600 in a folder of 0700. Each has a hash over its document; what does not
/// fit, is of another version or is no JSON is told as damaged, and is replaced by the next plan.
/// Nothing is removed: who wants less deletes files.
///
/// Reading and writing a plan blocks its thread for the moment that a small file takes.
#[derive(Debug)]
pub struct FolderCache(PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    version: u32,
    key: String,
    /// The hash of the document, in hexadecimal.
    check: String,
    document: String,
}

impl FolderCache {
    /// A cache in that folder, which is made when the first plan is kept.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    fn path(&self, key: &PlanKey) -> PathBuf {
        self.0.join(format!("{key}.json"))
    }
}

fn check(document: &str) -> String {
    blake3::hash(document.as_bytes()).to_hex().to_string()
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
    let mut file = file.take(MOST_BYTES + 1);
    file.read_to_end(&mut bytes).map_err(failed(path))?;
    Ok(Some(bytes))
}

/// The document of an entry, or what is wrong with the entry.
fn document(bytes: &[u8], key: &PlanKey) -> Result<String, String> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err("it is too large".to_owned());
    }
    let entry: Entry = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if entry.version != VERSION {
        return Err(format!("it is of version {}, not {VERSION}", entry.version));
    }
    if entry.key != key.as_str() {
        return Err("it is of another key".to_owned());
    }
    if entry.check != check(&entry.document) {
        return Err("its document does not fit its hash".to_owned());
    }
    Ok(entry.document)
}

/// Writes a file beside its place and moves it there.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    make_folder(folder)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        fs::remove_file(&beside).ok();
        return written;
    }
    // The move is on disk when the folder is; where folders cannot be flushed, the old file may be
    // there after a power cut, which is as good as a miss.
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

#[async_trait]
impl PlanCache for FolderCache {
    async fn get(&self, key: &PlanKey) -> Result<Option<String>, CacheError> {
        let path = self.path(key);
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        match document(&bytes, key) {
            Ok(document) => Ok(Some(document)),
            Err(why) => Err(CacheError::Damaged { path, why }),
        }
    }

    async fn put(&self, key: &PlanKey, document: &str) -> Result<(), CacheError> {
        let path = self.path(key);
        let entry = Entry {
            version: VERSION,
            key: key.to_string(),
            check: check(document),
            document: document.to_owned(),
        };
        let bytes = serde_json::to_vec(&entry).map_err(|error| failed(&path)(error.into()))?;
        write(&self.0, &path, &bytes).map_err(failed(&path))
    }
}
