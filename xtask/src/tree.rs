//! The tree: which files of the repository the checks read.

use std::fs;
use std::path::Path;

/// Hidden folders that belong to the repository; every other hidden name is somebody else's.
const HIDDEN: [&str; 2] = [".cargo", ".ci"];

/// Every file below a folder, as a path relative to it with `/` between the parts, in order.
///
/// Folders of build output and hidden ones are left out.
pub(crate) fn files(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        let told = |err: std::io::Error| format!("{}: {err}", here.display());
        for entry in fs::read_dir(&here).map_err(told)? {
            let entry = entry.map_err(told)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = join(&folder, &name);
            let kind = entry.file_type().map_err(told)?;
            if kind.is_dir() && is_ours(&path, &name) {
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

fn is_ours(path: &str, name: &str) -> bool {
    let built = name == "target" || path == "docs/book";
    let hidden = name.starts_with('.') && !HIDDEN.contains(&path);
    !built && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_and_foreign_folders_are_left_out() {
        assert!(is_ours(".ci", ".ci"));
        assert!(is_ours("crates/zeph-graph", "zeph-graph"));
        assert!(!is_ours(".git", ".git"));
        assert!(!is_ours("target", "target"));
        assert!(!is_ours("docs/book", "book"));
    }

    #[test]
    fn this_crate_sees_its_own_files() {
        let found = files(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(found.contains(&"src/tree.rs".to_owned()));
        assert!(found.is_sorted());
    }
}
