//! Child processes of a check: every wait has a time limit, and drop kills the process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Interval between two looks at a process and its log.
const POLL: Duration = Duration::from_millis(50);

/// Lines of the log in an error.
const TAIL_LINES: usize = 20;

/// A running program. Drop kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts a program with both output streams in a file.
    ///
    /// Its standard input stays open as long as this value exists. A server that ends with its
    /// standard input therefore ends even if this process is killed.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self, String> {
        let out = created(log)?;
        let err = out
            .try_clone()
            .map_err(|err| format!("{}: {err}", log.display()))?;
        Self::spawn(command.stdout(out).stderr(err), log)
    }

    /// Starts a program with its standard output in one file and its standard error in another.
    pub(crate) fn start_split(
        command: &mut Command,
        out: &Path,
        log: &Path,
    ) -> Result<Self, String> {
        Self::spawn(command.stdout(created(out)?).stderr(created(log)?), log)
    }

    fn spawn(command: &mut Command, log: &Path) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped());
        let child = command.spawn().map_err(|err| not_started(&name, &err))?;
        let log = log.to_owned();
        Ok(Self { child, name, log })
    }

    /// Waits for a line that contains `mark`; returns the text behind it up to the next space.
    pub(crate) fn address(&mut self, mark: &str, timeout: Duration) -> Result<String, String> {
        let begin = Instant::now();
        loop {
            if let Some(found) = address_in(&self.output(), mark) {
                return Ok(found);
            }
            if let Some(status) = self.ended()? {
                return Err(self.failure(&format!("ended with {status} before it listened")));
            }
            if begin.elapsed() > timeout {
                return Err(self.failure(&format!("does not listen after {timeout:?}")));
            }
            thread::sleep(POLL);
        }
    }

    /// Waits for the end; after the time limit it kills the program and returns an error.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Result<ExitStatus, String> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if begin.elapsed() > timeout {
                let _ = self.child.kill();
                return Err(self.failure(&format!("has not ended after {timeout:?}")));
            }
            thread::sleep(POLL);
        }
    }

    /// Its output so far.
    pub(crate) fn output(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// An error about this program with the end of its output.
    pub(crate) fn failure(&self, what: &str) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        format!(
            "{} {what}; the end of {}:\n{}",
            self.name,
            self.log.display(),
            tail.join("\n")
        )
    }

    /// Its exit status if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, String> {
        self.child
            .try_wait()
            .map_err(|err| format!("{}: {err}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killing a process that has ended is harmless; the wait reaps it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end; an exit status other than 0 is an error.
pub(crate) fn run(command: &mut Command, log: &Path, timeout: Duration) -> Result<(), String> {
    let mut process = Process::start(command, log)?;
    drop(process.child.stdin.take());
    let status = process.wait(timeout)?;
    if status.success() {
        return Ok(());
    }
    Err(process.failure(&format!("ended with {status}")))
}

fn created(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|err| format!("{}: {err}", path.display()))
}

fn not_started(name: &str, err: &std::io::Error) -> String {
    if err.kind() == std::io::ErrorKind::NotFound {
        return format!("`{name}` is not installed; this check needs it");
    }
    format!("`{name}` does not start: {err}")
}

/// Finds the address in the complete lines only: the last one may be half written.
fn address_in(text: &str, mark: &str) -> Option<String> {
    let whole = text.rfind('\n').map(|end| &text[..end])?;
    let line = whole.lines().find(|line| line.contains(mark))?;
    let rest = line.split_once(mark)?.1;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_from_a_whole_line() {
        let text = "hello\nINFO: running on http://127.0.0.1:4 (stop with ...)\n";
        let found = address_in(text, "running on ");
        assert_eq!(found.as_deref(), Some("http://127.0.0.1:4"));
        assert_eq!(
            address_in("running on http://127.0.0.1:4", "running on "),
            None
        );
        assert_eq!(address_in("quiet\n", "running on "), None);
    }

    #[test]
    fn a_missing_program_is_an_error_that_says_so() {
        let log = std::env::temp_dir().join(format!("xtask-process-{}", std::process::id()));
        let mut command = Command::new("a-program-that-does-not-exist");
        let error = run(&mut command, &log, Duration::from_secs(1)).unwrap_err();
        let _ = fs::remove_file(&log);
        assert!(error.contains("is not installed"), "{error}");
    }
}
