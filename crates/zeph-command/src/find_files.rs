//! Finds the files below a folder that match patterns. Links lead out of no folder.

use std::fmt;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeph_common::{FilePattern, PatternState};

/// The most entries of folders that a search looks at.
const MAX_ENTRIES: usize = 200_000;

/// A regular file that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundFile {
    /// The path below the folder, with `/` between its parts.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) executable: bool,
}

/// The files that match, in the order of their names, and the patterns that match none.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<FoundFile>,
    pub(crate) unmatched: Vec<String>,
}

/// Why a search has no result.
#[derive(Debug)]
pub(crate) enum FindError {
    /// A folder or a file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A link that matches leads out of the folder.
    LeadsOut(String),
    /// A name that matches is not UTF-8.
    NotText(String),
    /// There are more matching files than that.
    TooMany(usize),
    /// There are too many entries to look at.
    TooLarge,
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "{path:?} cannot be read: {error}"),
            Self::LeadsOut(name) => write!(
                f,
                "{name:?} is a link that leads out of the folder of the task"
            ),
            Self::NotText(name) => write!(f, "the name {name:?} is not UTF-8"),
            Self::TooMany(most) => write!(f, "more than {most} files match"),
            Self::TooLarge => write!(
                f,
                "there are more than {MAX_ENTRIES} files and folders to look at; begin the patterns with a smaller folder"
            ),
        }
    }
}

/// Finds at most `most` files. A link to a file of the folder counts as that file; a link to a folder is not
/// followed.
pub(crate) fn find_files(
    folder: &Path,
    patterns: &[FilePattern],
    most: usize,
) -> Result<Found, FindError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| FindError::Unreadable(path, error)
    };
    let folder = folder.canonicalize().map_err(unreadable(folder))?;
    let mut found = Found::default();
    let mut is_matched = vec![false; patterns.len()];
    let mut looked_at = 0;
    let start: Vec<PatternState> = patterns.iter().map(FilePattern::start).collect();
    // A stack instead of recursion.
    let mut open = vec![(String::new(), folder.clone(), start)];
    while let Some((prefix, path, states)) = open.pop() {
        for entry in fs::read_dir(&path).map_err(unreadable(&path))? {
            let entry = entry.map_err(unreadable(&path))?;
            looked_at += 1;
            if looked_at > MAX_ENTRIES {
                return Err(FindError::TooLarge);
            }
            let part = entry.file_name();
            let text = part.to_string_lossy();
            let next: Vec<PatternState> = patterns
                .iter()
                .zip(&states)
                .map(|(pattern, state)| pattern.step(*state, &text))
                .collect();
            let pairs = || patterns.iter().zip(&next);
            let name = format!("{prefix}{text}");
            let kind = entry.file_type().map_err(unreadable(&entry.path()))?;
            if kind.is_dir() {
                if pairs().any(|(pattern, state)| pattern.may_go_on(*state)) {
                    open.push((format!("{name}/"), entry.path(), next));
                }
                continue;
            }
            if !pairs().any(|(pattern, state)| pattern.is_end(*state)) {
                continue;
            }
            let Some(file) = file(&folder, name, entry.path(), kind)? else {
                continue;
            };
            if part.to_str().is_none() {
                return Err(FindError::NotText(file.name));
            }
            for (is_matched, (pattern, state)) in is_matched.iter_mut().zip(pairs()) {
                *is_matched |= pattern.is_end(*state);
            }
            if found.files.len() == most {
                return Err(FindError::TooMany(most));
            }
            found.files.push(file);
        }
    }
    found.files.sort_by(|one, two| one.name.cmp(&two.name));
    let unmatched = patterns.iter().zip(is_matched).filter(|(_, is)| !is);
    found.unmatched = unmatched
        .map(|(pattern, _)| pattern.as_str().to_owned())
        .collect();
    Ok(found)
}

/// A regular file, or the one that a link leads to; `None` for anything else.
fn file(
    folder: &Path,
    name: String,
    path: PathBuf,
    kind: FileType,
) -> Result<Option<FoundFile>, FindError> {
    let unreadable = |error| FindError::Unreadable(path.clone(), error);
    let path = if kind.is_symlink() {
        let target = path.canonicalize().map_err(unreadable)?;
        if !target.starts_with(folder) {
            return Err(FindError::LeadsOut(name));
        }
        target
    } else {
        path
    };
    let about =
        fs::symlink_metadata(&path).map_err(|error| FindError::Unreadable(path.clone(), error))?;
    Ok(about.is_file().then(|| FoundFile {
        name,
        bytes: about.len(),
        executable: about.permissions().mode() & 0o100 != 0,
        path,
    }))
}

#[cfg(test)]
mod tests {
    use super::{FindError, find_files};
    use std::fs;
    use std::os::unix::fs::symlink;
    use zeph_common::FilePattern;

    fn patterns(texts: &[&str]) -> Vec<FilePattern> {
        let parse = |text: &&str| FilePattern::parse(text).expect("is a pattern");
        texts.iter().map(parse).collect()
    }

    #[test]
    fn files_are_found_by_name_and_links_stay_inside() {
        let dir = tempfile::tempdir().expect("there is a folder");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("dist/deep")).expect("is made");
        for name in [
            "dist/b.gz",
            "dist/a.gz",
            "dist/deep/c.gz",
            "dist/.d.gz",
            "other",
        ] {
            fs::write(at(name), name).expect("is written");
        }
        symlink("a.gz", at("dist/l.gz")).expect("is made");
        symlink("deep", at("dist/folder")).expect("is made");
        let found =
            find_files(dir.path(), &patterns(&["dist/**/*.gz", "none/*"]), 9).expect("is read");
        let names: Vec<&str> = found.files.iter().map(|file| &*file.name).collect();
        assert_eq!(
            names,
            ["dist/a.gz", "dist/b.gz", "dist/deep/c.gz", "dist/l.gz"]
        );
        assert_eq!(found.unmatched, ["none/*"]);
        let many = find_files(dir.path(), &patterns(&["dist/**"]), 2);
        assert!(matches!(many, Err(FindError::TooMany(2))));
        symlink("/etc/passwd", at("dist/x.gz")).expect("is made");
        let out = find_files(dir.path(), &patterns(&["dist/*"]), 9);
        assert!(matches!(out, Err(FindError::LeadsOut(name)) if name == "dist/x.gz"));
    }
}
