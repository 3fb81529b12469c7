//! Writes and edits text files below one folder.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cap_std::fs::Dir;
use zeph_executor::TaskError;

use super::folder::{Folder, fault, inside, other, seen, text_of};
use super::guarded::Guarded;

/// The most bytes of a file that is written.
const MOST_WRITTEN: usize = 1 << 20;
/// The most bytes of an edited file, as for reading.
const MOST_EDITED: usize = 4 << 20;

/// Held from reading a file to replacing it, so that of several calls at once none undoes another: the agents of a
/// process may write to the same folder.
static CHANGING: Mutex<()> = Mutex::new(());

/// Writes a whole file. Folders on the way are made.
pub(super) fn write(
    folder: &Folder,
    guarded: &Guarded,
    path: &str,
    text: &str,
) -> Result<String, TaskError> {
    if text.len() > MOST_WRITTEN {
        return Err(TaskError::permanent("the text is larger than 1 MiB").with_code("too_large"));
    }
    let inside = inside(path)?;
    let _alone = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = folder.open()?;
    guarded.check(folder, &dir, &inside, text)?;
    replace(&dir, &inside, text).map_err(|error| failed(path, &error))?;
    Ok(format!("{path} has {} bytes now", text.len()))
}

/// Replaces the only occurrence of a text in a file.
pub(super) fn edit(
    folder: &Folder,
    guarded: &Guarded,
    path: &str,
    (old, new): (&str, &str),
) -> Result<String, TaskError> {
    let inside = inside(path)?;
    let _alone = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = folder.open()?;
    // The file that a link names would stay as it is.
    if dir
        .symlink_metadata(&inside)
        .is_ok_and(|about| about.is_symlink())
    {
        let text = format!("{path} is a link; edit the file that it names");
        return Err(TaskError::permanent(text).with_code("is_link"));
    }
    let text = text_of(&dir, &inside).map_err(|error| failed(path, &error))?;
    let count = if old.is_empty() {
        0
    } else {
        text.matches(old).count()
    };
    if count != 1 {
        return Err(TaskError::permanent(format!(
            "the text to replace is {count} times in {path}; give one that is in it exactly once"
        ))
        .with_code("not_once"));
    }
    let text = text.replacen(old, new, 1);
    if text.len() > MOST_EDITED {
        return Err(TaskError::permanent("the file would exceed 4 MiB").with_code("too_large"));
    }
    guarded.check(folder, &dir, &inside, &text)?;
    replace(&dir, &inside, &text).map_err(|error| failed(path, &error))?;
    Ok(format!("{path} is changed"))
}

/// Replaces a file as a whole: a crash or a power loss leaves the old one or the new one. A link at its place is replaced, and
/// never followed.
fn replace(dir: &Dir, path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().filter(|name| *name != ".");
    let name = name.ok_or_else(|| other("it is no file"))?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = match parent {
        None => dir.try_clone()?,
        Some(parent) => {
            // A link on the way may lead into a hidden folder, so that is looked at before anything is made.
            seen(dir, there(dir, parent))?;
            dir.create_dir_all(parent)?;
            seen(dir, parent)?;
            dir.open_dir(parent)?
        }
    };
    let before = match folder.symlink_metadata(name) {
        Ok(about) if about.is_file() => Some(about.permissions()),
        Ok(about) if about.is_symlink() => None,
        Ok(_) => return Err(other("it is no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let new = format!(".zeph-{:016x}", u64::from_le_bytes(random));
    let written = (|| {
        let mut file = folder.create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if let Some(permissions) = before {
            folder.set_permissions(&new, permissions)?;
        }
        folder.rename(&new, &folder, name)?;
        folder.open(".")?.sync_all()
    })();
    if written.is_err() {
        folder.remove_file(&new).ok();
    }
    written
}

/// The deepest part of a path that is there, a link included.
pub(super) fn there<'a>(dir: &Dir, path: &'a Path) -> &'a Path {
    let mut parts = path.ancestors().filter(|part| !part.as_os_str().is_empty());
    let found = parts.find(|part| dir.symlink_metadata(part).is_ok());
    found.unwrap_or(Path::new("."))
}

fn failed(path: &str, error: &io::Error) -> TaskError {
    fault("not_written", &format!("{path} cannot be written"), error)
}

#[cfg(test)]
mod tests {
    use super::super::folder::Folder;
    use super::super::guarded::Guarded;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use zeph_executor::TaskError;

    fn write(folder: &Folder, path: &str, text: &str) -> Result<String, TaskError> {
        super::write(folder, &Guarded::default(), path, text)
    }

    fn edit(folder: &Folder, path: &str, old: &str, new: &str) -> Result<String, TaskError> {
        super::edit(folder, &Guarded::default(), path, (old, new))
    }

    #[test]
    fn files_are_written_below_the_folder_only_whatever_the_path_or_the_link() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("key"), "secret").unwrap();
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path(".git")).unwrap();
        symlink(outside.path(), path("out")).unwrap();
        symlink(".git", path("git")).unwrap();
        symlink(outside.path().join("key"), path("link")).unwrap();
        let folder = Folder::new(root.path());
        let absolute = outside.path().join("key");
        for bad in [
            "../x",
            "a/../../x",
            "out/key",
            "out/new",
            "git/config",
            "git/new/folder/file",
            ".env",
            "a/.env",
            ".",
            "",
            absolute.to_str().unwrap(),
        ] {
            assert!(write(&folder, bad, "x").is_err(), "{bad}");
        }
        write(&folder, "a/b/c.txt", "one\n").unwrap();
        assert_eq!(fs::read_to_string(path("a/b/c.txt")).unwrap(), "one\n");
        // The link is replaced by a file, and what it named stays.
        write(&folder, "link", "mine").unwrap();
        assert!(!path("link").is_symlink());
        let key = fs::read_to_string(outside.path().join("key")).unwrap();
        assert_eq!(key, "secret");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(path("a/b")).unwrap().count(), 1);
        assert!(write(&folder, "big", &"x".repeat(2 << 20)).is_err());
        assert_eq!(fs::read_dir(path(".git")).unwrap().count(), 0);
    }

    #[test]
    fn an_edit_replaces_what_is_there_exactly_once_and_keeps_the_mode() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("run.sh");
        fs::write(&file, "a b a\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let folder = Folder::new(root.path());
        for bad in ["a", "c", ""] {
            let error = edit(&folder, "run.sh", bad, "x").unwrap_err();
            assert_eq!(error.code(), "not_once");
        }
        symlink("run.sh", root.path().join("link")).unwrap();
        let error = edit(&folder, "link", "b", "c").unwrap_err();
        assert_eq!(error.code(), "is_link");
        edit(&folder, "run.sh", "b", "c").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a c a\n");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn edits_at_the_same_time_are_all_in_the_file() {
        const EDITS: usize = 16;
        let root = tempfile::tempdir().unwrap();
        let old: String = (0..EDITS).map(|n| format!("<old{n}>\n")).collect();
        let wanted = old.replace("old", "new");
        fs::write(root.path().join("a.txt"), old).unwrap();
        std::thread::scope(|scope| {
            for n in 0..EDITS {
                let folder = Folder::new(root.path());
                scope.spawn(move || {
                    let (old, new) = (format!("<old{n}>"), format!("<new{n}>"));
                    edit(&folder, "a.txt", &old, &new).unwrap();
                });
            }
        });
        let text = fs::read_to_string(root.path().join("a.txt")).unwrap();
        assert_eq!(text, wanted);
    }
}
