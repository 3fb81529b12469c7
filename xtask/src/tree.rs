//! The files of the repository that the checks read.

use std::fs;
use std::path::Path;

/// Hidden folders that belong to the repository. All others are skipped.
const HIDDEN: [&str; 2] = [".cargo", ".ci"];

/// All files below a folder except build output and hidden folders, sorted.
///
/// Paths are relative to the folder and separated by `/`.
pub(crate) fn files(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        let error = |err: std::io::Error| format!("{}: {err}", here.display());
        for entry in fs::read_dir(&here).map_err(error)? {
            let entry = entry.map_err(error)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = join(&folder, &name);
            let kind = entry.file_type().map_err(error)?;
            if kind.is_dir() && is_checked(&path, &name) {
                folders.push(path);
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a file of the repository as text.
pub(crate) fn read(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|err| format!("{path}: {err}"))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        return name.to_owned();
    }
    format!("{folder}/{name}")
}

fn is_checked(path: &str, name: &str) -> bool {
    let built = name == "target" || path == "docs/book";
    let hidden = name.starts_with('.') && !HIDDEN.contains(&path);
    !built && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_and_hidden_folders_are_skipped() {
        assert!(is_checked(".ci", ".ci"));
        assert!(is_checked("crates/zeph-graph", "zeph-graph"));
        assert!(!is_checked(".git", ".git"));
        assert!(!is_checked("target", "target"));
        assert!(!is_checked("docs/book", "book"));
    }

    #[test]
    fn paths_are_relative_and_sorted() {
        let found = files(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(found.contains(&"src/tree.rs".to_owned()));
        assert!(found.is_sorted());
    }
}
