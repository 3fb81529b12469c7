//! The counter file: each command of a run appends its starts and ends to it, across crashes.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// The environment variable with the path of the file.
pub const VARIABLE: &str = "ZEPH_COUNTER";

/// The name of a task and the number of an attempt.
pub type AttemptOf = (String, u64);

/// How often each attempt began and ended.
///
/// Each line is one append, so that lines of concurrent commands, and of commands that outlived a killed
/// engine, are never interleaved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// The starts of each attempt.
    pub begun: BTreeMap<AttemptOf, u32>,
    /// The ends of each attempt.
    pub ended: BTreeMap<AttemptOf, u32>,
    /// The output of its first dependency that each attempt was given, if it was given one.
    pub inputs: BTreeMap<AttemptOf, String>,
}

impl Counter {
    /// Reads the file; a missing file counts as empty.
    ///
    /// # Errors
    /// If it cannot be read, or has a line that no command writes.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("the counter file cannot be read: {error}")),
        };
        let mut counter = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [what, task, attempt, ref input @ ..] = words[..] else {
                return Err(format!("the counter file has the line {line:?}"));
            };
            let attempt = attempt
                .parse()
                .map_err(|_| format!("the counter file has the line {line:?}"))?;
            let lines = match what {
                "begin" => &mut counter.begun,
                "end" => &mut counter.ended,
                _ => return Err(format!("the counter file has the line {line:?}")),
            };
            *lines.entry((task.to_owned(), attempt)).or_default() += 1;
            if let [input] = input[..] {
                let inputs = &mut counter.inputs;
                inputs.insert((task.to_owned(), attempt), input.to_owned());
            }
        }
        Ok(counter)
    }

    /// The attempts of a task that began, in order.
    pub fn attempts<'a>(&'a self, task: &'a str) -> impl Iterator<Item = u64> + 'a {
        let begun = self.begun.keys();
        begun.filter_map(move |(of, attempt)| (of == task).then_some(*attempt))
    }

    /// Checks that no attempt began or ended twice, and that none ended without a start.
    ///
    /// # Errors
    /// The first attempt that did.
    pub fn check(&self) -> Result<(), String> {
        for (lines, what) in [(&self.begun, "began"), (&self.ended, "ended")] {
            let twice = lines.iter().find(|(_, count)| **count > 1);
            if let Some(((task, attempt), count)) = twice {
                return Err(format!("attempt {attempt} of {task} {what} {count} times"));
            }
        }
        let from_nothing = self.ended.keys().find(|key| !self.begun.contains_key(*key));
        match from_nothing {
            Some((task, attempt)) => Err(format!("attempt {attempt} of {task} only ended")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counter;

    fn of(text: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counter");
        std::fs::write(&path, text).unwrap();
        Counter::read(&path)?.check()
    }

    #[test]
    fn each_attempt_may_begin_and_end_once() {
        assert_eq!(of(""), Ok(()));
        assert_eq!(of("begin a 1\nbegin a 2\nend a 1\nend a 2\n"), Ok(()));
        assert!(
            of("begin a 1\nbegin a 1\n")
                .unwrap_err()
                .contains("2 times")
        );
        assert!(of("begin a 1\nend a 1\nend a 1\n").is_err());
        assert!(of("end a 1\n").unwrap_err().contains("only ended"));
        assert_eq!(of("begin a 1 out-b-2\nend a 1\n"), Ok(()));
        assert!(of("begin a\n").is_err());
        assert!(of("start a 1\n").is_err());
    }
}
