//! The victim: the real binary as a child process, which is killed, or called and waited for.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::crash::counter::VARIABLE;

/// How long a process may print nothing before it counts as hanging. A system that refuses each lock lets SQLite
/// wait up to 10 s at several of them, 63 s in all.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The binary and the folder in which a run takes place.
#[derive(Clone, Debug)]
pub struct Zeph {
    /// The binary.
    pub binary: PathBuf,
    /// The folder: plan, database and counter file are in it.
    pub folder: PathBuf,
}

/// When a process is killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KillPlan {
    /// The number of stdout lines before the kill.
    pub lines: usize,
    /// The delay after those lines.
    pub delay: Duration,
    /// The arguments of a second process that starts before the delay; empty for none.
    pub beside: Vec<String>,
}

/// The output and the exit code of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The complete lines of its stdout, with those that were read after the kill.
    pub lines: Vec<String>,
    /// Its stderr.
    pub stderr: String,
    /// Its exit code, unless it was killed.
    pub code: Option<i32>,
    /// The same for the second process.
    pub beside: Option<Box<Seen>>,
}

impl Seen {
    /// The last line of stdout as JSON; null if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let last = self.lines.last().map_or("", String::as_str);
        serde_json::from_str(last).unwrap_or(Value::Null)
    }
}

impl Zeph {
    /// The counter file.
    #[must_use]
    pub fn counter(&self) -> PathBuf {
        self.folder.join("counter")
    }

    /// Runs a command until it ends.
    ///
    /// # Errors
    /// If it cannot be started, or hangs.
    pub fn call(&self, words: &[&str]) -> Result<Seen, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        self.live(&words, None)
    }

    /// Runs a command until it ends or is killed.
    ///
    /// # Errors
    /// If it cannot be started, or hangs.
    pub fn live(&self, words: &[String], kill_plan: Option<&KillPlan>) -> Result<Seen, String> {
        let mut process = Process::start(self.command(words), words)?;
        let mut seen = Seen::default();
        let mut second = None;
        if let Some(kill_plan) = kill_plan {
            while seen.lines.len() < kill_plan.lines && process.next(&mut seen)? {}
            if !kill_plan.beside.is_empty() {
                second = Some(Process::start(
                    self.command(&kill_plan.beside),
                    &kill_plan.beside,
                )?);
            }
            pass(kill_plan.delay);
            process.kill();
        }
        process.end(&mut seen)?;
        if let Some(second) = second {
            let mut beside = Seen::default();
            second.end(&mut beside)?;
            seen.beside = Some(Box::new(beside));
        }
        Ok(seen)
    }

    /// A command, with `words` as its arguments.
    pub(crate) fn command<W: AsRef<OsStr>>(&self, words: &[W]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).current_dir(&self.folder);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ZEPH_") {
                command.env_remove(name);
            }
        }
        command
            .env("ZEPH_DB", self.folder.join("runs.db"))
            .env(VARIABLE, self.counter())
            .env("HOME", &self.folder)
            .env_remove("XDG_CONFIG_HOME");
        command
    }
}

/// Waits. The last two milliseconds are a busy loop, because `sleep` is too coarse for short delays.
fn pass(time: Duration) {
    let start = Instant::now();
    if let Some(most) = time.checked_sub(Duration::from_millis(2)) {
        thread::sleep(most);
    }
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// A started process with its outputs.
struct Process {
    child: Child,
    lines: Receiver<String>,
    stderr: JoinHandle<String>,
    what: String,
}

impl Process {
    fn start(mut command: Command, words: &[String]) -> Result<Self, String> {
        let what = format!("zeph {}", words.join(" "));
        let started = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.map_err(|error| format!("{what} does not start: {error}"))?;
        let (Some(out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(format!("{what} has no outputs"));
        };
        let (send, lines) = channel();
        thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut line = Vec::new();
            // The kill can cut the last line; a line without its end does not count as acknowledged.
            while out.read_until(b'\n', &mut line).is_ok() && line.pop() == Some(b'\n') {
                if send
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
                line.clear();
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            // A part of stderr is enough for a message.
            let _ = err.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self {
            child,
            lines,
            stderr,
            what,
        })
    }

    /// Reads the next line; false at the end of the output.
    fn next(&mut self, seen: &mut Seen) -> Result<bool, String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                seen.lines.push(line);
                Ok(true)
            }
            Err(RecvTimeoutError::Disconnected) => Ok(false),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                let said = seen.lines.join("\n  ");
                let what = &self.what;
                Err(format!(
                    "{what} hangs: nothing in {PATIENCE:?} after\n  {said}"
                ))
            }
        }
    }

    fn kill(&mut self) {
        // A process that has already ended cannot be killed; its exit code shows that.
        let _ = self.child.kill();
    }

    /// Waits for a process that has closed its outputs.
    fn ended(&mut self) -> Result<ExitStatus, String> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let status = self.child.try_wait();
            match status.map_err(|error| format!("{} is lost: {error}", self.what))? {
                Some(status) => return Ok(status),
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
        self.kill();
        Err(format!("{} hangs after it has said all", self.what))
    }

    /// Reads the rest of the output and waits for the process.
    fn end(mut self, seen: &mut Seen) -> Result<(), String> {
        while self.next(seen)? {}
        let status = self.ended()?;
        seen.code = status.code();
        seen.stderr = self.stderr.join().unwrap_or_default();
        if seen.stderr.contains("panicked at") {
            return Err(format!("{} panicked: {}", self.what, seen.stderr));
        }
        Ok(())
    }
}

/// Creates a folder for a run, with its plan file.
///
/// # Errors
/// If it cannot be created.
pub fn create_folder(folder: &Path, plan: &str) -> Result<(), String> {
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(folder.join("plan.toml"), plan))
        .map_err(|error| format!("{}: {error}", folder.display()))
}
