//! A program that runs beside tasks and is spoken to over its pipes, such as a server of tools.

use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use zeph_executor::TaskError;

use crate::attempt::AFTER_KILL;
use crate::executor::CommandExecutor;
use crate::group::{Group, ProcessGroup};
use crate::params::CommandParams;
use crate::spawn;

/// The most bytes of standard error that are kept, the last ones.
const STDERR_BYTES: usize = 4 << 10;

/// A running program, the leader of a session of its own. Dropping it kills every process of its group, and so does
/// the end of this process, also by SIGKILL.
#[derive(Debug)]
pub struct ServiceProcess {
    // Dropped first: the group is killed before its leader is waited for.
    group: Group,
    child: Child,
    _watchdog: Watchdog,
    stderr: Arc<Mutex<Vec<u8>>>,
    /// Reads standard error.
    reader: Option<JoinHandle<()>>,
}

/// Kills a group when its standard input ends, which only this process holds. Dropping it calls that off.
#[derive(Debug)]
struct Watchdog {
    child: Child,
    /// Its standard input, once it has a group.
    held: Option<File>,
}

impl Watchdog {
    /// It starts before the program, so that only one write is between the program and its watcher.
    fn start() -> std::io::Result<Self> {
        let child = spawn::watchdog()?;
        Ok(Self { child, held: None })
    }

    fn watch(&mut self, group: i32) -> std::io::Result<()> {
        if let Some(stdin) = self.child.stdin.take() {
            let mut stdin = File::from(stdin.into_owned_fd()?);
            writeln!(stdin, "{group}")?;
            self.held = Some(stdin);
        }
        Ok(())
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Before its standard input is closed.
        self.child.start_kill().ok();
    }
}

/// The end of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramEnd {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error.
    pub stderr: String,
}

impl CommandExecutor {
    /// Starts a program that stays until it is dropped, with the environment and the directory that a command
    /// of this executor has, except the variables of an attempt. Returns its standard input and output.
    ///
    /// Of the parameters, the program, `env`, `pass_env`, `path` and `cwd` count. Needs a tokio runtime.
    ///
    /// # Errors
    /// As a command that cannot be started, at once: nothing waits for room.
    pub fn start_service(
        &self,
        params: &CommandParams,
    ) -> Result<(ServiceProcess, ChildStdin, ChildStdout), TaskError> {
        let mut watchdog = Watchdog::start()?;
        let mut child = spawn::service(self.config(), params)?;
        let group = Group::led_by(&child);
        if let Some(group) = group.trace() {
            watchdog.watch(group.id)?;
        }
        let stderr = Arc::default();
        let pipe = child.stderr.take();
        let reader = pipe.map(|pipe| tokio::spawn(keep_tail(pipe, Arc::clone(&stderr))));
        let pipes = child.stdin.take().zip(child.stdout.take());
        let process = ServiceProcess {
            group,
            child,
            _watchdog: watchdog,
            stderr,
            reader,
        };
        let (stdin, stdout) = pipes.ok_or_else(|| {
            TaskError::permanent("the program has no pipes").with_code("spawn_failed")
        })?;
        Ok((process, stdin, stdout))
    }
}

impl CommandExecutor {
    /// Runs a program to its end, as [`start_service`](Self::start_service) starts it, with that standard input. What it
    /// leaves running in its process group is killed, and the output of what has left the group is not waited for.
    /// Dropping the future kills it.
    ///
    /// # Errors
    /// As `start_service`; `output_too_large` if it prints more than that.
    pub async fn run_program(
        &self,
        params: &CommandParams,
        input: &[u8],
        max_output: u64,
    ) -> Result<ProgramEnd, TaskError> {
        let (mut process, mut stdin, stdout) = self.start_service(params)?;
        let (group, child) = (&process.group, &mut process.child);
        let write = async move {
            // A program may end without reading.
            stdin.write_all(input).await.ok();
        };
        let (ended, has_ended) = oneshot::channel::<()>();
        let wait = async {
            let status = child.wait().await;
            // A process that is left would hold the pipe open.
            group.kill();
            drop(ended);
            status
        };
        let talk = async {
            let mut text = Vec::new();
            let mut stdout = stdout.take(max_output + 1);
            let read = async {
                let read = stdout.read_to_end(&mut text).await;
                if text.len() as u64 > max_output {
                    group.kill();
                }
                read
            };
            // A process that has left the group holds the pipes open for as long as it likes.
            let left = async {
                has_ended.await.ok();
                sleep(AFTER_KILL).await;
            };
            tokio::select! {
                ((), read) = async { tokio::join!(write, read) } => drop(read?),
                () = left => {}
            }
            Ok::<_, std::io::Error>(text)
        };
        let (status, text) = tokio::join!(wait, talk);
        if let Some(mut reader) = process.reader.take()
            && timeout(AFTER_KILL, &mut reader).await.is_err()
        {
            reader.abort();
        }
        let (status, stdout) = (status?, text?);
        if stdout.len() as u64 > max_output {
            let limit = zeph_common::format_size(max_output);
            let text = format!("the program printed more than {limit}");
            return Err(TaskError::permanent(text).with_code("output_too_large"));
        }
        Ok(ProgramEnd {
            code: status.code(),
            stdout,
            stderr: process.stderr_tail(),
        })
    }
}

impl ServiceProcess {
    /// The last lines of its standard error, at most 4 KiB. Untrusted text.
    #[must_use]
    pub fn stderr_tail(&self) -> String {
        let bytes = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// Waits for its end, and returns the exit code; `None` after a signal. Cancel-safe.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub async fn wait(&mut self) -> std::io::Result<Option<i32>> {
        Ok(self.child.wait().await?.code())
    }

    /// Asks every process of its group to end, by SIGTERM.
    pub fn terminate(&self) {
        self.group.terminate();
    }

    /// Its process group, as a note of an attempt would keep it.
    #[must_use]
    pub fn group(&self) -> Option<ProcessGroup> {
        self.group.trace()
    }
}

async fn keep_tail(mut pipe: ChildStderr, tail: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = vec![0; STDERR_BYTES];
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&chunk[..count]);
        let excess = tail.len().saturating_sub(STDERR_BYTES);
        tail.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use crate::{CommandExecutor, CommandParams};

    fn shell(script: &str) -> CommandParams {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        CommandParams::program(argv)
    }

    #[tokio::test]
    async fn a_service_is_spoken_to_over_its_pipes_and_has_no_variables_of_an_attempt() {
        let commands = CommandExecutor::builder().deny_env(["PATH"]).build();
        let mut params =
            shell("read line; echo \"$line ${ZEPH_TASK-none} $MODE\"; echo bad >&2; exit 3");
        params.env.insert("MODE".to_owned(), "fast".to_owned());
        let (mut process, mut stdin, mut stdout) = commands.start_service(&params).unwrap();
        stdin.write_all(b"hello\n").await.unwrap();
        let mut text = String::new();
        stdout.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello none fast\n");
        assert_eq!(process.wait().await.unwrap(), Some(3));
        while process.stderr_tail().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(process.stderr_tail(), "bad");
    }

    #[tokio::test]
    async fn a_basic_environment_has_no_variable_that_could_hold_a_secret() {
        let commands = CommandExecutor::builder().basic_env().build();
        let mut params = shell("env");
        params.env.insert("MODE".to_owned(), "fast".to_owned());
        // Cargo sets it for tests.
        params.pass_env.push("CARGO_PKG_NAME".to_owned());
        let (_process, _stdin, mut stdout) = commands.start_service(&params).unwrap();
        let mut text = String::new();
        stdout.read_to_string(&mut text).await.unwrap();
        let names = text
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0));
        let names: Vec<&str> = names.collect();
        assert!(std::env::var_os("CARGO_PKG_VERSION").is_some());
        for wanted in ["PATH", "MODE", "CARGO_PKG_NAME"] {
            assert!(names.contains(&wanted), "{wanted}: {names:?}");
        }
        // The shell adds some of its own.
        let own = ["MODE", "CARGO_PKG_NAME", "_", "OLDPWD", "SHLVL"];
        let is_known = |name: &&str| crate::is_basic_variable(name) || own.contains(name);
        let other: Vec<&str> = names.into_iter().filter(|name| !is_known(name)).collect();
        assert_eq!(other, [""; 0]);
    }

    #[tokio::test]
    async fn dropping_a_service_kills_its_whole_group() {
        let commands = CommandExecutor::builder().build();
        let script = "sleep 600 & echo ready; wait";
        let (process, _stdin, mut stdout) = commands.start_service(&shell(script)).unwrap();
        let mut ready = [0; 6];
        stdout.read_exact(&mut ready).await.unwrap();
        let group = process.group().unwrap();
        assert!(group.is_alive());
        drop(process);
        // The pipe closes when the last process that holds it has ended.
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).await.unwrap();
    }

    #[tokio::test]
    async fn the_end_of_this_process_kills_the_group() {
        let commands = CommandExecutor::builder().build();
        let script = "sleep 600 & echo ready; wait";
        let (process, _stdin, mut stdout) = commands.start_service(&shell(script)).unwrap();
        let mut ready = [0; 6];
        stdout.read_exact(&mut ready).await.unwrap();
        let mut another = super::Watchdog::start().unwrap();
        another.watch(process.group().unwrap().id).unwrap();
        // The system closes this pipe when this process ends in any way.
        drop(another.held.take());
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).await.unwrap();
        assert!(another.child.wait().await.unwrap().success());
        // Without a group there is nothing to kill.
        let mut idle = super::Watchdog::start().unwrap();
        drop(idle.child.stdin.take());
        assert!(!idle.child.wait().await.unwrap().success());
    }

    #[tokio::test]
    async fn a_program_runs_to_its_end_and_leaves_nothing() {
        let commands = CommandExecutor::builder().build();
        let script = "cat; echo said >&2; sleep 600 & exit 4";
        let params = shell(script);
        let end = commands.run_program(&params, b"hello", 100).await.unwrap();
        assert_eq!((end.code, &*end.stdout), (Some(4), &b"hello"[..]));
        assert_eq!(end.stderr, "said");
        // It prints for ever and reads nothing.
        let params = shell("yes");
        let input = "x".repeat(1 << 20);
        let endless = commands.run_program(&params, input.as_bytes(), 1_000);
        assert_eq!(endless.await.unwrap_err().code(), "output_too_large");
    }

    #[tokio::test]
    async fn a_process_that_left_the_group_holds_nothing_up() {
        let commands = CommandExecutor::builder().build();
        let params = shell("setsid sleep 20 & sleep 0.3; echo hi");
        let input = "x".repeat(1 << 20);
        let end = commands.run_program(&params, input.as_bytes(), 1_000);
        let end = timeout(Duration::from_secs(10), end)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((end.code, &*end.stdout), (Some(0), &b"hi\n"[..]));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error_at_once() {
        let commands = CommandExecutor::builder().build();
        let params = CommandParams::program(vec!["no-such-program-xyz".to_owned()]);
        let error = commands.start_service(&params).unwrap_err();
        assert_eq!(error.code(), "command_not_found");
    }
}
