//! Env files: variables as lines `NAME=value`, without expansion.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The most bytes of an env file: 1 MiB.
const MAX_BYTES: u64 = 1 << 20;

/// An env file that cannot be used.
#[derive(Debug)]
pub struct EnvFileError {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub cause: EnvFileCause,
}

/// Why an env file cannot be used.
#[derive(Debug)]
pub enum EnvFileCause {
    /// It cannot be read, is not a file, has more than 1 MiB, or is not UTF-8.
    Unreadable(io::Error),
    /// A line is not an assignment.
    BadLine(BadLine),
}

impl EnvFileError {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(&self.cause, EnvFileCause::Unreadable(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for EnvFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            EnvFileCause::Unreadable(error) => {
                write!(f, "the env file {:?} cannot be read: {error}", self.path)
            }
            EnvFileCause::BadLine(bad) => write!(f, "the env file {:?}: {bad}", self.path),
        }
    }
}

impl std::error::Error for EnvFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            EnvFileCause::Unreadable(error) => Some(error),
            EnvFileCause::BadLine(bad) => Some(bad),
        }
    }
}

/// Reads an env file of at most 1 MiB; see [`env_file`] for the form of its lines.
///
/// # Errors
/// If it cannot be read, or a line of it is not an assignment.
pub fn read_env_file(path: &Path) -> Result<Vec<(String, String)>, EnvFileError> {
    let failed = |cause| EnvFileError {
        path: path.to_owned(),
        cause,
    };
    let text = read_text(path).map_err(|error| failed(EnvFileCause::Unreadable(error)))?;
    env_file(&text).map_err(|bad| failed(EnvFileCause::BadLine(bad)))
}

fn read_text(path: &Path) -> io::Result<String> {
    // Opening a pipe would wait for a writer.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    let read = File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)?;
    if read as u64 > MAX_BYTES {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    Ok(text)
}

/// A line that is not an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} {}", self.line, self.problem)
    }
}

impl std::error::Error for BadLine {}

/// The variables of an env file, in the order of its lines.
///
/// A line is `NAME=value`, with or without `export` before it; empty lines and lines that begin with `#` are
/// skipped. A value is taken as it is, without blanks around it and without a comment (` #`). In single
/// quotes everything is literal; in double quotes `\n`, `\t`, `\"`, `\\` and `\$` are escapes. Nothing is
/// expanded. The message of the error does not quote the line, which may have a secret.
///
/// # Errors
/// The first line that is not an assignment.
///
/// # Examples
/// ```
/// use zeph_common::env_file;
/// let read = env_file("# services\nexport HOST=db.example\nGREETING=\"a\\nb\"\n")?;
/// assert_eq!(read[1], ("GREETING".to_owned(), "a\nb".to_owned()));
/// assert_eq!(env_file("HOST db").unwrap_err().to_string(), "line 1 has no `=`");
/// # Ok::<(), zeph_common::BadLine>(())
/// ```
pub fn env_file(text: &str) -> Result<Vec<(String, String)>, BadLine> {
    let mut read = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = |problem| BadLine {
            line: at + 1,
            problem,
        };
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, rest) = line.split_once('=').ok_or_else(|| bad("has no `=`"))?;
        let name = name.trim();
        let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
        let is_next = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.starts_with(is_first) || !name.chars().all(is_next) {
            return Err(bad("has a name that is not one of letters, digits and `_`"));
        }
        let value = value(rest.trim()).map_err(bad)?;
        read.push((name.to_owned(), value));
    }
    Ok(read)
}

fn value(text: &str) -> Result<String, &'static str> {
    let (value, rest) = if let Some(quoted) = text.strip_prefix('\'') {
        let (value, rest) = quoted.split_once('\'').ok_or("has no closing `'`")?;
        (value.to_owned(), rest)
    } else if let Some(quoted) = text.strip_prefix('"') {
        double_quoted(quoted)?
    } else {
        let end = text.find(" #").unwrap_or(text.len());
        return Ok(text[..end].trim_end().to_owned());
    };
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        Ok(value)
    } else {
        Err("has text behind the closing quote")
    }
}

/// The value up to the closing quote, and what follows it.
fn double_quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(literal @ ('"' | '\\' | '$')) => value.push(literal),
                Some(_) | None => {
                    return Err("has an escape that is not `\\n`, `\\t`, `\\\"`, `\\\\` or `\\$`");
                }
            },
            c => value.push(c),
        }
    }
    Err("has no closing `\"`")
}

#[cfg(test)]
mod tests {
    use super::env_file;

    #[test]
    fn every_form_of_a_value_is_read() {
        let text = "\u{feff}A=1\r\n\n # x\nexport B = b c  # comment\nC='$x \\n'# y\nD=\"a\\\"b\\$\\\\\"\nE=\nF=a#b\n";
        let read = env_file(text).unwrap();
        let read: Vec<(&str, &str)> = read.iter().map(|(n, v)| (&**n, &**v)).collect();
        let expected = [
            ("A", "1"),
            ("B", "b c"),
            ("C", "$x \\n"),
            ("D", "a\"b$\\"),
            ("E", ""),
            ("F", "a#b"),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_bad_line_is_named_and_not_quoted() {
        for (text, wanted) in [
            ("A=1\nhunter2", "line 2 has no `=`"),
            ("1A=hunter2", "line 1 has a name"),
            ("A='hunter2", "line 1 has no closing `'`"),
            ("A=\"hunter2", "line 1 has no closing `\"`"),
            ("A='hun'ter2", "line 1 has text behind"),
            ("A=\"hunter2\\x\"", "line 1 has an escape"),
        ] {
            let error = env_file(text).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{text}: {error}");
            assert!(!error.contains("hunter2"));
        }
    }
}
