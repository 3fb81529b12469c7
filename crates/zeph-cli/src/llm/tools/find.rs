//! Searches for a text in the files of a folder.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use zeph_common::{Boundary, truncate};
use zeph_executor::TaskError;

use super::folder::{Folder, inside, is_hidden, seen, text_of};

/// The most files that are searched, and the most folders.
const MOST_FILES: usize = 5_000;
/// The most bytes of files that are searched.
const MOST_BYTES: usize = 64 << 20;
/// The most lines of a result.
const MOST_LINES: usize = 100;
/// The most bytes of a line in a result.
const LINE_BYTES: usize = 240;

/// The lines that contain a text, as `path:line: text`, in the order of their paths.
pub(super) fn find(
    folder: &Folder,
    text: &str,
    path: &str,
    stop: &AtomicBool,
) -> Result<String, TaskError> {
    if text.trim().is_empty() {
        return Err(
            TaskError::permanent("the text to look for is empty; say what to find")
                .with_code("empty_text"),
        );
    }
    let dir = folder.open()?;
    let mut found = Found::default();
    // A stack instead of recursion; the first entry in order is on top.
    let mut open = vec![inside(path)?];
    let mut folders = 0_usize;
    while let Some(path) = open.pop() {
        if stop.load(Ordering::Relaxed) || found.is_full() || folders >= MOST_FILES {
            found.cut |= !stop.load(Ordering::Relaxed);
            break;
        }
        let entries = seen(&dir, &path).and_then(|()| dir.read_dir(&path));
        let Ok(entries) = entries else {
            // The path is a file, or a folder that cannot be read.
            found.file(&path, text, text_of(&dir, &path).ok());
            continue;
        };
        folders += 1;
        let mut below: Vec<(bool, PathBuf)> = Vec::new();
        for entry in entries.flatten() {
            let (name, kind) = (entry.file_name(), entry.file_type());
            let Ok(kind) = kind else { continue };
            if is_hidden(&name.to_string_lossy()) || !(kind.is_dir() || kind.is_file()) {
                continue;
            }
            let whole = if path.as_os_str() == "." {
                PathBuf::from(name)
            } else {
                path.join(name)
            };
            below.push((kind.is_dir(), whole));
        }
        below.sort();
        for (_, file) in below.iter().filter(|(is_dir, _)| !is_dir) {
            if stop.load(Ordering::Relaxed) || found.is_full() {
                break;
            }
            found.file(file, text, text_of(&dir, file).ok());
        }
        let folders = below.into_iter().rev().filter(|(is_dir, _)| *is_dir);
        open.extend(folders.map(|(_, path)| path));
    }
    Ok(found.into_text(text))
}

#[derive(Default)]
struct Found {
    lines: Vec<String>,
    files: usize,
    bytes: usize,
    cut: bool,
}

impl Found {
    fn is_full(&self) -> bool {
        self.lines.len() >= MOST_LINES || self.files >= MOST_FILES || self.bytes >= MOST_BYTES
    }

    fn file(&mut self, path: &std::path::Path, wanted: &str, text: Option<String>) {
        self.files += 1;
        let Some(text) = text else { return };
        self.bytes += text.len();
        for (number, line) in text.lines().enumerate() {
            if !line.contains(wanted) {
                continue;
            }
            if self.lines.len() >= MOST_LINES {
                self.cut = true;
                return;
            }
            let line = truncate(line.trim(), LINE_BYTES, Boundary::Char);
            self.lines
                .push(format!("{}:{}: {line}", path.display(), number + 1));
        }
    }

    fn into_text(mut self, wanted: &str) -> String {
        if self.lines.is_empty() {
            return format!(
                "no match for {:?} in {} files{}",
                zeph_common::escape_terminal(wanted),
                self.files,
                if self.cut { ", and there are more" } else { "" }
            );
        }
        if self.cut || self.is_full() {
            let hint = "… there may be more: look for something rarer, or in one folder";
            self.lines.push(hint.to_owned());
        }
        self.lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Folder;
    use super::find;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn lines_are_found_in_order_and_never_outside() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("b/c")).unwrap();
        fs::write(path("z.txt"), "needle at the end\n").unwrap();
        fs::write(path("b/a.txt"), "no\n  a needle here\n").unwrap();
        fs::write(path("b/c/d.bin"), b"needle\0").unwrap();
        fs::create_dir(path(".git")).unwrap();
        fs::write(path(".git/x"), "needle").unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("o"), "needle").unwrap();
        symlink(outside.path(), path("out")).unwrap();
        symlink(root.path(), path("loop")).unwrap();
        symlink(".git", path("git")).unwrap();
        let folder = Folder::new(root.path());
        let go = AtomicBool::new(false);
        assert_eq!(
            find(&folder, "needle", ".", &go).unwrap(),
            "z.txt:1: needle at the end\nb/a.txt:2: a needle here"
        );
        assert_eq!(
            find(&folder, "needle", "b/a.txt", &go).unwrap(),
            "b/a.txt:2: a needle here"
        );
        let hidden = find(&folder, "needle", "git", &go).unwrap();
        assert!(hidden.contains("no match"), "{hidden}");
        let none = find(&folder, "thread", ".", &go).unwrap();
        assert_eq!(none, r#"no match for "thread" in 3 files"#);
        assert_eq!(
            find(&folder, " ", ".", &go).unwrap_err().code(),
            "empty_text"
        );
        assert_eq!(
            find(&folder, "x", "../o", &go).unwrap_err().code(),
            "bad_path"
        );
    }

    #[test]
    fn a_long_list_says_so_and_a_stop_stops() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "x\n".repeat(500)).unwrap();
        let folder = Folder::new(root.path());
        let many = find(&folder, "x", ".", &AtomicBool::new(false)).unwrap();
        assert_eq!(many.lines().count(), 101);
        assert!(many.ends_with("or in one folder"));
        let stopped = find(&folder, "x", ".", &AtomicBool::new(true)).unwrap();
        assert!(stopped.contains("in 0 files"), "{stopped}");
    }
}
