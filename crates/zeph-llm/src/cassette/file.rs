//! Tapes as files: JSON lines, versioned, written whole or not at all, readable by their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Call, Tape};

/// The version of the file that is written; no other is read.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Head {
    zeph_cassette: u32,
}

/// Why a tape could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapeError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The first line is no head of a tape.
    #[error("this is no cassette: its first line must be {{\"zeph_cassette\":{VERSION}}}")]
    NoTape,
    /// It was written by another version.
    #[error("the cassette has version {found}, this program reads {VERSION}: record it again")]
    Version {
        /// Its version.
        found: u32,
    },
    /// A line is no recorded call.
    #[error("line {line} is no recorded call: {source}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

impl Tape {
    /// Reads a tape from a file.
    ///
    /// # Errors
    /// If the file cannot be read, is no tape, or is one of another version.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TapeError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| TapeError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads a tape from its text.
    ///
    /// # Errors
    /// If it is none, or one of another version.
    pub fn parse(text: &str) -> Result<Self, TapeError> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().map_or("", |(_, line)| line);
        let head: Head = serde_json::from_str(head).map_err(|_| TapeError::NoTape)?;
        if head.zeph_cassette != VERSION {
            return Err(TapeError::Version {
                found: head.zeph_cassette,
            });
        }
        let tape = Self::new();
        for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let call: Call = serde_json::from_str(line).map_err(|source| TapeError::Line {
                line: index + 1,
                source,
            })?;
            let request = tape.redacted(call.request);
            tape.add(request, call.outcome);
        }
        Ok(tape)
    }

    /// The tape as text: a head, then one line of JSON for each call.
    #[must_use]
    pub fn to_text(&self) -> String {
        let head = Head {
            zeph_cassette: VERSION,
        };
        let mut text = serde_json::to_string(&head).unwrap_or_default();
        for call in &self.lock().calls {
            text.push('\n');
            text.push_str(&serde_json::to_string(call).unwrap_or_default());
        }
        text.push('\n');
        text
    }

    /// Writes the tape to a file, in place of what is there. Blocks on the disk.
    ///
    /// A crash leaves the old file or the new one, whole; beside it, at worst, a file that ends in `.tmp`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TapeError> {
        let path = path.as_ref();
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let draft = path.with_file_name(name);
        let written = write(&draft, &self.to_text()).and_then(|()| fs::rename(&draft, path));
        written.map_err(|source| {
            let _ = fs::remove_file(&draft);
            TapeError::Io {
                path: path.to_owned(),
                source,
            }
        })
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    // What an earlier process of this number left is in the way of nobody.
    let _ = fs::remove_file(path);
    let mut file = create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}
