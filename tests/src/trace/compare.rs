//! The comparison of a recording with the files: a recorder that misses a write would make every later state
//! of the disk a wrong one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::rng::Rng;
use crate::trace::disk::{self, Change, Honesty, Loss};

/// The end of the name of the file that SQLite writes through memory only, so that no call is seen.
const SHARED_MEMORY: &str = "-shm";

/// Compares the files of a folder with all recorded changes. Folders and memory-mapped files are left out.
///
/// # Errors
/// The first file that is not as it was recorded.
pub(super) fn compare(changes: &[Change], folder: &Path) -> Result<(), String> {
    let (all, rng) = (changes.len(), &mut Rng::new(0));
    let state = disk::after_loss(changes, all, Loss::Nothing, Honesty::Honest, rng);
    let files = files_of(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let is_compared = |path: &PathBuf| !path.to_string_lossy().ends_with(SHARED_MEMORY);
    let recorded = state.iter().filter(|(path, bytes)| {
        bytes.is_some() && path.parent() == Some(folder) && is_compared(path)
    });
    let names: BTreeSet<&PathBuf> = recorded.clone().map(|(path, _)| path).collect();
    let files: BTreeSet<&PathBuf> = files.iter().filter(|path| is_compared(path)).collect();
    if let Some(path) = names.symmetric_difference(&files).next() {
        let (is, was) = (files.contains(path), names.contains(path));
        let path = path.display();
        return Err(format!("{path}: recorded: {was}, in the folder: {is}"));
    }
    for (path, bytes) in recorded {
        let recorded = bytes.as_deref().unwrap_or_default();
        let file = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if recorded != file {
            let same = recorded.iter().zip(&file).take_while(|(a, b)| a == b);
            let place = same.count();
            return Err(format!(
                "{} is not as it was recorded from byte {place} on: {} bytes recorded, {} in the file",
                path.display(),
                recorded.len(),
                file.len()
            ));
        }
    }
    Ok(())
}

/// The files of a folder.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_that_misses_a_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let changes = [
            Change::Folder(folder.path().to_owned()),
            Change::Name(path("runs.db"), 0),
            Change::Bytes(0, 0, vec![1; 1024]),
            Change::Bytes(0, 512, vec![2; 512]),
            Change::Size(0, 1000),
            Change::Name(path("runs.db-wal"), 1),
            Change::NoName(path("runs.db-wal")),
        ];
        let mut bytes = vec![1; 512];
        bytes.extend([2; 488]);
        fs::write(path("runs.db"), bytes).unwrap();
        fs::write(path("runs.db-shm"), "mapped").unwrap();
        compare(&changes, folder.path()).unwrap();
        for missed in [1, 2, 3, 4, 6] {
            let mut some = changes.to_vec();
            some.remove(missed);
            let error = compare(&some, folder.path()).unwrap_err();
            assert!(error.contains("runs.db"), "{missed}: {error}");
        }
    }
}
