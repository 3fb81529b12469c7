//! The artifacts of a command: the files that match its patterns, read when it has succeeded.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use zeph_common::{FilePattern, format_size};
use zeph_executor::{Artifact, TaskError};

use crate::find_files::{FoundFile, find_files};
use crate::params::invalid;

/// Reads the patterns of a key.
pub(crate) fn patterns(key: &str, texts: &[String]) -> Result<Vec<FilePattern>, TaskError> {
    let parse = |text: &String| {
        FilePattern::parse(text).map_err(|why| invalid(&format!("`{key}`: {text:?}: {why}")))
    };
    texts.iter().map(parse).collect()
}

/// The files in the folder of the task that match. All limits are checked before anything is read.
pub(crate) fn collect(folder: &Path, patterns: &[FilePattern]) -> Result<Vec<Artifact>, TaskError> {
    let found = find_files(folder, patterns, Artifact::MAX_COUNT)
        .map_err(|why| bad(&format!("the artifacts cannot be kept: {why}")))?;
    if let Some(pattern) = found.unmatched.first() {
        let message = format!(
            "no file matches {pattern:?} of `artifacts`; patterns are relative to the folder of the task, and links to folders are not followed"
        );
        return Err(TaskError::permanent(message).with_code("artifact_missing"));
    }
    if let Some(file) = (found.files.iter()).find(|file| !Artifact::is_name(&file.name)) {
        return Err(bad(&format!(
            "the file {:?} cannot be an artifact: its name has a control character, begins with `-`, or is too long",
            file.name
        )));
    }
    let mut total = 0;
    for file in &found.files {
        total += file.bytes;
        check_size(
            &format!("the artifact {:?}", file.name),
            file.bytes,
            Artifact::MAX_BYTES,
        )?;
    }
    check_size("the artifacts", total, Artifact::MAX_TOTAL_BYTES)?;
    found.files.iter().map(read).collect()
}

fn check_size(what: &str, bytes: u64, most: u64) -> Result<(), TaskError> {
    if bytes <= most {
        return Ok(());
    }
    let (bytes, most) = (format_size(bytes), format_size(most));
    let message = format!(
        "{what}: {bytes}, more than the {most} that are kept; pass the name of a file in a shared folder instead"
    );
    Err(TaskError::permanent(message).with_code("artifact_too_large"))
}

fn read(file: &FoundFile) -> Result<Artifact, TaskError> {
    let mut bytes = Vec::new();
    let read = File::open(&file.path)
        .and_then(|open| open.take(file.bytes + 1).read_to_end(&mut bytes))
        .and_then(|read| match read as u64 == file.bytes {
            true => Ok(()),
            false => Err(io::Error::other("it changes while it is read")),
        });
    let unreadable = |why| {
        bad(&format!(
            "the artifact {:?} cannot be read: {why}",
            file.name
        ))
    };
    read.map_err(unreadable)?;
    Ok(Artifact {
        name: file.name.clone(),
        bytes: bytes.into(),
        executable: file.executable,
    })
}

fn bad(message: &str) -> TaskError {
    TaskError::permanent(message.to_owned()).with_code("bad_artifact")
}
