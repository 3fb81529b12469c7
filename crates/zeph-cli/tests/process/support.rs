//! A scene: a folder with a plan, a database and gates, and `zeph` processes in it.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use tempfile::TempDir;

pub(crate) struct Scene {
    folder: TempDir,
}

/// A process that has ended, with its output.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The exit code; a process that was killed by a signal has none, shown as -1.
pub(crate) fn code(ended: &Ended) -> i32 {
    ended.status.code().unwrap_or(-1)
}

impl Scene {
    pub(crate) fn new(plan: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plan.toml"), plan).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn folder(&self, name: &str) {
        fs::create_dir(self.path(name)).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// The bytes of all files below a folder.
    pub(crate) fn bytes_below(&self, name: &str) -> Vec<u8> {
        let mut open = vec![self.path(name)];
        let mut bytes = Vec::new();
        while let Some(path) = open.pop() {
            match fs::read_dir(&path) {
                Ok(entries) => open.extend(entries.flatten().map(|entry| entry.path())),
                // Sockets and locks have no content.
                Err(_) => bytes.extend(fs::read(&path).unwrap_or_default()),
            }
        }
        bytes
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// A `zeph` command without the settings of the user who runs the tests.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_zeph"), args)
    }

    fn command_of(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("ZEPH_SUSPEND_GRACE", "0s")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn zeph(&self, args: &[&str]) -> Ended {
        Process::of(self.command(args)).wait()
    }

    pub(crate) fn zeph_without_home(&self, args: &[&str]) -> Ended {
        let mut command = self.command(args);
        command.env_remove("HOME");
        Process::of(command).wait()
    }

    pub(crate) fn zeph_with_stdin(&self, args: &[&str], text: &str) -> Ended {
        self.with_stdin(self.command(args), text)
    }

    /// Runs a command with that text on its standard input.
    pub(crate) fn with_stdin(&self, mut command: Command, text: &str) -> Ended {
        command.stdin(Stdio::piped());
        let mut process = Process::of(command);
        let mut stdin = process.child.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        drop(stdin);
        process.wait()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Process {
        Process::of(self.command(args))
    }

    pub(crate) fn start_with(&self, args: &[&str], env: &[(&str, &str)]) -> Process {
        let mut command = self.command(args);
        command.envs(env.iter().copied());
        Process::of(command)
    }

    /// Starts `zeph` in a shell that has run this before.
    pub(crate) fn start_by(&self, before: &str, args: &[&str]) -> Process {
        let script = format!("{before}; exec \"$0\" \"$@\"");
        let shell = [&["-c", &script, env!("CARGO_BIN_EXE_zeph")], args].concat();
        Process::of(self.command_of("sh", &shell))
    }

    /// A `zeph` command in a session of its own, whose terminal will be its stdin.
    #[cfg(target_os = "linux")]
    pub(crate) fn command_in_session(&self, args: &[&str]) -> Command {
        let args = [&["--ctty", env!("CARGO_BIN_EXE_zeph")], args].concat();
        self.command_of("setsid", &args)
    }

    /// Runs `zeph` at a terminal; all of its output is in `out`.
    #[cfg(target_os = "linux")]
    pub(crate) fn at_terminal(&self, args: &[&str]) -> Ended {
        let line = [&[env!("CARGO_BIN_EXE_zeph")], args].concat().join(" ");
        Process::of(self.command_of("script", &["-qec", &line, "/dev/null"])).wait()
    }

    /// Creates the gates `gate-1` and so on, at which commands wait.
    pub(crate) fn gates(&self, count: u32) {
        for number in 1..=count {
            let gate = self.path(&format!("gate-{number}"));
            let made = Command::new("mkfifo").arg(gate).status().unwrap();
            assert!(made.success());
        }
    }

    /// Returns when a command waits at the gate, which stays closed.
    pub(crate) fn open_gate(&self, number: u32) -> File {
        let gate = self.path(&format!("gate-{number}"));
        OpenOptions::new().write(true).open(gate).unwrap()
    }

    /// Opens the gate for the command that waits.
    pub(crate) fn write(&self, mut gate: File) {
        gate.write_all(b"go\n").unwrap();
    }

    pub(crate) fn pass_gate(&self, number: u32) {
        self.write(self.open_gate(number));
    }

    /// The lines that the commands wrote, sorted.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// A running `zeph`.
pub(crate) struct Process {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    read: String,
    read_err: Vec<u8>,
}

impl Process {
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        Self {
            child,
            stdout,
            read: String::new(),
            read_err: Vec::new(),
        }
    }

    /// Reads stdout up to a line with that word.
    pub(crate) fn until(&mut self, word: &str) {
        let stdout = self.stdout.as_mut().unwrap();
        loop {
            let mut line = String::new();
            let read = stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "{word:?} did not come: {}", self.read);
            self.read.push_str(&line);
            if line.contains(word) {
                return;
            }
        }
    }

    /// Reads stderr up to that text.
    pub(crate) fn until_err(&mut self, text: &str) {
        let stderr = self.child.stderr.as_mut().unwrap();
        while !self.read_err.ends_with(text.as_bytes()) {
            let mut byte = [0];
            stderr.read_exact(&mut byte).unwrap();
            self.read_err.extend(byte);
        }
    }

    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn signal(&mut self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn wait(mut self) -> Ended {
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut self.read).unwrap();
        }
        let mut err = String::from_utf8(self.read_err).unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        Ended {
            status: self.child.wait().unwrap(),
            out: self.read,
            err,
        }
    }
}
