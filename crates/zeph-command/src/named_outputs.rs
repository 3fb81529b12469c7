//! Named outputs: the file that `ZEPH_OUTPUT` names, and its lines as values.

use std::fs::{File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};
use tempfile::TempDir;
use zeph_executor::TaskError;

use crate::json_output;

/// The folder of the files of an executor: private, made for the first command, removed with the executor.
#[derive(Debug, Default)]
pub(crate) struct OutputFolder {
    folder: OnceLock<Option<TempDir>>,
    next: AtomicU64,
}

/// The file of one attempt. The command creates it, and it is removed with this value.
#[derive(Debug)]
pub(crate) struct OutputFile(PathBuf);

impl OutputFolder {
    /// A name for the file of an attempt; `None` if the system has no place for temporary files.
    pub(crate) fn file(&self) -> Option<OutputFile> {
        let make = || {
            let mut builder = tempfile::Builder::new();
            let private = Permissions::from_mode(0o700);
            builder.prefix("zeph-").permissions(private).tempdir().ok()
        };
        let folder = self.folder.get_or_init(make).as_ref()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Some(OutputFile(folder.path().join(number.to_string())))
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        // Most commands have written none.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl OutputFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The named outputs, if the command has written any.
    ///
    /// # Errors
    /// If the file has more than `max_bytes`, or is neither lines `name=value` nor one JSON object. The
    /// message does not quote it, because a part of a secret could not be redacted.
    pub(crate) fn read(&self, max_bytes: usize) -> Result<Option<Value>, TaskError> {
        let bad = |why: String| {
            let message = format!("the named outputs (the file of ZEPH_OUTPUT): {why}");
            TaskError::permanent(message).with_code("bad_outputs")
        };
        let text = match read_text(&self.0, max_bytes) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad(error.to_string())),
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let outputs = if text.trim_start().starts_with('{') {
            object(text)
        } else {
            lines(text)
        };
        let outputs = outputs.map_err(bad)?;
        Ok((!outputs.is_empty()).then(|| outputs.into()))
    }
}

fn read_text(path: &Path, max_bytes: usize) -> io::Result<String> {
    // A command may have put a link, a pipe or a folder there.
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    let limit = max_bytes as u64 + 1;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > max_bytes {
        let why = format!("more than {max_bytes} bytes; write a file and name it instead");
        return Err(io::Error::other(why));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// One JSON object.
fn object(text: &str) -> Result<Map<String, Value>, String> {
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| format!("it begins with `{{` and is not one JSON object: {error}"))?;
    if !json_output::is_exact_text(text) {
        return Err(
            "a whole number has more than 64 bits; write it as a text, in quotes".to_owned(),
        );
    }
    match object.keys().find(|name| !is_name(name)) {
        Some(_) => Err(format!("a name is not {NAME}")),
        None => Ok(object),
    }
}

/// Lines `name=value`; of a name in two lines the last value counts.
fn lines(text: &str) -> Result<Map<String, Value>, String> {
    let mut outputs = Map::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let number = at + 1;
        let Some((name, value)) = line.split_once('=') else {
            return Err(format!(
                "line {number} is not `name=value`; write a value of several lines as JSON: {{\"name\": \"…\"}}"
            ));
        };
        let name = name.trim();
        if !is_name(name) {
            return Err(format!("the name in line {number} is not {NAME}"));
        }
        outputs.insert(name.to_owned(), value.into());
    }
    Ok(outputs)
}

const NAME: &str = "1 to 64 letters, digits, `_` and `-`, beginning with a letter or `_`";

fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_next = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.starts_with(is_first) && name.len() <= 64 && name.chars().all(is_next)
}

#[cfg(test)]
mod tests {
    use super::{OutputFolder, lines, object};
    use serde_json::{Value, json};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_folder_is_for_its_owner_only() {
        let folder = OutputFolder::default();
        let file = folder.file().expect("there is a place for temporary files");
        let folder = file.path().parent().expect("it is in a folder");
        let mode = std::fs::metadata(folder).map(|about| about.permissions().mode() & 0o777);
        assert_eq!(mode.ok(), Some(0o700));
    }

    #[test]
    fn a_value_is_everything_behind_the_first_equals_sign() {
        let text = "a=1\r\n\n b = x=y \na=\"2\"\n";
        assert_eq!(
            lines(text).map(Value::from),
            Ok(json!({ "a": "\"2\"", "b": " x=y " }))
        );
        let many = r#"{"tags": ["x"], "n": 1}"#;
        assert_eq!(
            object(many).map(Value::from),
            Ok(json!({ "tags": ["x"], "n": 1 }))
        );
    }

    #[test]
    fn what_is_neither_is_refused_without_a_quote() {
        for (text, wanted) in [
            ("a=1\nhunter2", "line 2 is not `name=value`"),
            ("hunter 2=1", "the name in line 1"),
            ("1=2", "the name in line 1"),
        ] {
            let why = lines(text).unwrap_err();
            assert!(why.contains(wanted) && !why.contains("hunter"), "{why}");
        }
        for (text, wanted) in [
            ("{\"a\": 1} hunter", "not one JSON object"),
            ("{\"a b\": 1}", "a name is not"),
            ("{\"a\": 123456789012345678901}", "64 bits"),
        ] {
            let why = object(text).unwrap_err();
            assert!(why.contains(wanted) && !why.contains("hunter"), "{why}");
        }
    }

    #[test]
    fn each_file_has_its_own_name_and_is_removed() {
        let folder = OutputFolder::default();
        let (one, two) = (folder.file().unwrap(), folder.file().unwrap());
        assert_ne!(one.path(), two.path());
        assert!(matches!(one.read(10), Ok(None)));
        let path = one.path().to_owned();
        std::fs::write(&path, "a=1").unwrap();
        assert_eq!(one.read(3).unwrap(), Some(json!({ "a": "1" })));
        assert!(
            one.read(2)
                .unwrap_err()
                .to_string()
                .contains("more than 2 bytes")
        );
        drop(one);
        assert!(!path.exists());
        std::os::unix::fs::symlink("/etc/passwd", two.path()).unwrap();
        assert!(two.read(99).unwrap_err().to_string().contains("not a file"));
    }
}
