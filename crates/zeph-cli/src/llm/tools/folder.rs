//! A folder of files that agents may read; no path and no link leads out of it.

use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use zeph_executor::TaskError;

/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 4 << 20;
/// The most bytes of a file that one call returns.
const MOST_READ: usize = 64 << 10;
/// The most entries of a folder that are listed.
const MOST_LISTED: usize = 500;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the folder for each call, because it may be moved or created at any time.
    pub(super) fn open(&self) -> Result<Dir, TaskError> {
        Dir::open_ambient_dir(&self.path, ambient_authority()).map_err(|error| {
            fault(
                "folder_gone",
                "the project's folder cannot be opened",
                &error,
            )
        })
    }

    /// The names in a folder, sorted; folders end in `/`.
    pub(super) fn list(&self, path: &str) -> Result<String, TaskError> {
        let inside = inside(path)?;
        let dir = self.open()?;
        let entries = seen(&dir, &inside)
            .and_then(|()| dir.read_dir(&inside))
            .map_err(|error| fault("not_listed", &format!("{path} cannot be listed"), &error))?;
        let mut names = Vec::new();
        for entry in entries.flatten() {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            if !is_hidden(&name) {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                names.push(if is_folder { format!("{name}/") } else { name });
            }
        }
        names.sort();
        let more = names.len().saturating_sub(MOST_LISTED);
        names.truncate(MOST_LISTED);
        if more > 0 {
            names.push(format!("… and {more} more"));
        }
        if names.is_empty() {
            return Ok("nothing is in it".to_owned());
        }
        Ok(names.join("\n"))
    }

    /// Some lines of a text file.
    pub(super) fn read(
        &self,
        path: &str,
        from_line: u32,
        lines: Option<u32>,
    ) -> Result<String, TaskError> {
        let inside = inside(path)?;
        let text = text_of(&self.open()?, &inside)
            .map_err(|error| fault("not_read", &format!("{path} cannot be read"), &error))?;
        let all = text.lines().count();
        let skipped = (from_line.max(1) - 1) as usize;
        if skipped >= all {
            return Ok(format!("{path} has {all} lines"));
        }
        let wanted = lines.map_or(usize::MAX, |lines| lines as usize);
        let mut given = String::new();
        let mut count = 0;
        for line in text.lines().skip(skipped).take(wanted) {
            if given.len() + line.len() >= MOST_READ {
                break;
            }
            given.push_str(line);
            given.push('\n');
            count += 1;
        }
        let last = skipped + count;
        if count == 0 {
            return Err(TaskError::permanent(format!(
                "line {} of {path} is longer than 64 KiB",
                last + 1
            ))
            .with_code("line_too_long"));
        }
        if last < all {
            given.push_str(&format!(
                "… lines {} to {last} of {all}; go on with from_line {}",
                skipped + 1,
                last + 1
            ));
        }
        Ok(given)
    }
}

/// Reads a whole text file. Only a regular file is opened, because opening a pipe waits for a writer.
pub(super) fn text_of(dir: &Dir, path: &Path) -> io::Result<String> {
    seen(dir, path)?;
    let kind = dir.metadata(path)?;
    if !kind.is_file() {
        return Err(other("it is no file"));
    }
    if kind.len() > MOST_BYTES {
        return Err(other("it is larger than 4 MiB"));
    }
    let mut bytes = Vec::new();
    let file = dir.open(path)?;
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    if bytes.contains(&0) {
        return Err(other("it is no text"));
    }
    String::from_utf8(bytes).map_err(|_| other("it is no text in UTF-8"))
}

/// Checks that no component of the path is hidden after links are resolved.
pub(super) fn seen(dir: &Dir, path: &Path) -> io::Result<()> {
    let real = dir.canonicalize(path)?;
    let mut parts = real.components();
    let hidden =
        |part| matches!(part, Component::Normal(name) if is_hidden(&name.to_string_lossy()));
    if parts.any(hidden) {
        return Err(other("it is hidden"));
    }
    Ok(())
}

pub(super) fn other(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// A relative path without `..` and hidden names. Links are not resolved here; [`Dir`] lets none lead out
/// of the folder.
pub(super) fn inside(path: &str) -> Result<PathBuf, TaskError> {
    let refused = |why: &str| {
        Err(TaskError::permanent(format!(
            "the path {:?} {why}; give one relative to the project, such as \"src/main.rs\"",
            zeph_common::escape_terminal(path)
        ))
        .with_code("bad_path"))
    };
    let mut inside = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) if is_hidden(&name.to_string_lossy()) => {
                return refused("is hidden");
            }
            Component::Normal(name) => inside.push(name),
            Component::ParentDir => return refused("leads upwards"),
            Component::RootDir | Component::Prefix(_) => return refused("is absolute"),
        }
    }
    if inside.as_os_str().is_empty() {
        inside.push(".");
    }
    Ok(inside)
}

pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

pub(super) fn fault(code: &'static str, what: &str, error: &io::Error) -> TaskError {
    TaskError::permanent(format!("{}: {error}", zeph_common::escape_terminal(what))).with_code(code)
}

#[cfg(test)]
mod tests {
    use super::{Folder, MOST_READ};
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_outside_is_read_whatever_the_path_or_the_link() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("key"), "secret").unwrap();
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("docs")).unwrap();
        fs::write(path("docs/a.md"), "one\ntwo\n").unwrap();
        fs::write(path(".env"), "KEY=1").unwrap();
        symlink(outside.path(), path("out")).unwrap();
        symlink(outside.path().join("key"), path("docs/key")).unwrap();
        symlink("../docs/a.md", path("docs/twin")).unwrap();
        fs::create_dir(path(".git")).unwrap();
        fs::write(path(".git/config"), "token").unwrap();
        symlink("../.env", path("docs/env")).unwrap();
        symlink(".git", path("git")).unwrap();
        let folder = Folder::new(root.path());
        let key = outside.path().join("key");
        for bad in [
            "../key",
            "docs/../../key",
            key.to_str().unwrap(),
            "out/key",
            "docs/key",
            "docs/env",
            "git/config",
            ".env",
            "docs/./.env",
            "docs",
            "nothing",
            "",
        ] {
            let read = folder.read(bad, 1, None);
            assert!(read.is_err(), "{bad}: {read:?}");
        }
        assert!(folder.list("out").is_err());
        assert!(folder.list("git").is_err());
        assert_eq!(folder.read("docs/twin", 1, None).unwrap(), "one\ntwo\n");
        assert_eq!(folder.list(".").unwrap(), "docs/\ngit\nout");
        assert_eq!(folder.list("docs").unwrap(), "a.md\nenv\nkey\ntwin");
    }

    #[test]
    fn long_files_come_in_parts_that_say_how_to_go_on() {
        let root = tempfile::tempdir().unwrap();
        let line = "x".repeat(1023);
        let text: Vec<&str> = (0..100).map(|_| line.as_str()).collect();
        fs::write(root.path().join("long"), text.join("\n")).unwrap();
        fs::write(root.path().join("wide"), "y".repeat(MOST_READ)).unwrap();
        fs::write(root.path().join("image"), b"a\0b").unwrap();
        let folder = Folder::new(root.path());
        let first = folder.read("long", 1, None).unwrap();
        assert!(
            first.ends_with("… lines 1 to 64 of 100; go on with from_line 65"),
            "{}",
            &first[MOST_READ - 10..]
        );
        let rest = folder.read("long", 65, None).unwrap();
        assert_eq!(rest.lines().count(), 36);
        let some = folder.read("long", 2, Some(1)).unwrap();
        assert!(some.ends_with("… lines 2 to 2 of 100; go on with from_line 3"));
        assert_eq!(
            folder.read("long", 101, None).unwrap(),
            "long has 100 lines"
        );
        assert_eq!(
            folder.read("wide", 1, None).unwrap_err().code(),
            "line_too_long"
        );
        assert_eq!(
            folder.read("image", 1, None).unwrap_err().code(),
            "not_read"
        );
    }
}
