//! The tracer: follows a process with all its threads by ptrace, from call to call.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::crash::victim::{PATIENCE, Seen};
use crate::trace::call::Call;

/// The process waits for a line, so that it is traced before it executes the program.
const GATE: &str = "read -r _ && exec \"$@\" </dev/null";

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is made.
    Pass,
    /// It is not made, and returns this: a negative number is an error.
    Return(i64),
    /// It is made for fewer bytes.
    Shorten(u64),
}

/// Sees the calls of a process that concern files.
pub(super) trait Watcher {
    /// Before a call; the verdict decides about it.
    fn before(&mut self, call: &Call) -> Verdict;

    /// After a call, with what it returned. False kills the process.
    fn after(&mut self, call: &Call, returned: i64) -> bool;
}

/// Runs a command to its end under a watcher. The processes that it starts are not traced.
///
/// # Errors
/// If it cannot be traced, panics, or hangs.
pub(super) fn run(
    command: &Command,
    folder: &Path,
    watcher: &mut dyn Watcher,
) -> Result<Seen, String> {
    let what = || {
        let words: Vec<_> = command
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect();
        format!("zeph {}", words.join(" "))
    };
    let outputs = ["stdout", "stderr"].map(|name| folder.join(name));
    let status = start(command, &outputs[0], &outputs[1])
        .map_err(|error| error.to_string())
        .and_then(|(leader, gate)| follow(leader, gate, folder, watcher))
        .map_err(|error| format!("{}: {error}", what()))?;
    let [out, err] = outputs.map(|path| fs::read(path).unwrap_or_default());
    let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
    if err.contains("panicked at") {
        return Err(format!("{} panicked: {err}", what()));
    }
    Ok(Seen {
        lines: out.lines().map(str::to_owned).collect(),
        stderr: err.into_owned(),
        code: status,
        beside: None,
    })
}

/// Starts the command behind the gate, which opens when a line is written to the result.
fn start(
    command: &Command,
    out: &Path,
    err: &Path,
) -> std::io::Result<(Pid, std::process::ChildStdin)> {
    let mut gated = Command::new("sh");
    gated
        .args(["-c", GATE, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::piped())
        .stdout(File::create(out)?)
        .stderr(File::create(err)?);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => gated.env(name, value),
            None => gated.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        gated.current_dir(folder);
    }
    let mut child = gated.spawn()?;
    let leader = Pid::from_raw(child.id().cast_signed());
    let gate = child.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    // The process is waited for by its number.
    Ok((leader, gate))
}

fn follow(
    leader: Pid,
    mut gate: std::process::ChildStdin,
    folder: &Path,
    watcher: &mut dyn Watcher,
) -> Result<Option<i32>, String> {
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(leader, options).map_err(|error| format!("it is not traced: {error}"))?;
    gate.write_all(b"\n")
        .map_err(|error| format!("it does not start: {error}"))?;
    drop(gate);
    let watchdog = Watchdog::start(leader);
    let mut tracer = Tracer {
        leader,
        folder,
        watcher,
        pending: BTreeMap::new(),
    };
    let status = tracer.until_the_end();
    let hung = watchdog.stop();
    let status = status.map_err(|error| format!("it is lost: {error}"))?;
    if hung {
        return Err(format!("it hangs: no end in {PATIENCE:?}"));
    }
    Ok(status)
}

/// Kills a process that does not end.
struct Watchdog {
    stop: Sender<()>,
    thread: JoinHandle<bool>,
}

impl Watchdog {
    fn start(process: Pid) -> Self {
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            let hung = stopped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
            if hung {
                // A process that has ended in this moment cannot be killed.
                let _ = kill(process, Signal::SIGKILL);
            }
            hung
        });
        Self { stop, thread }
    }

    /// Returns whether the process was killed.
    fn stop(self) -> bool {
        drop(self.stop);
        self.thread.join().unwrap_or(true)
    }
}

struct Tracer<'a> {
    leader: Pid,
    folder: &'a Path,
    watcher: &'a mut dyn Watcher,
    /// The calls that were entered, by thread, and what they return if they are not made.
    pending: BTreeMap<Pid, (Call, Option<i64>)>,
}

impl Tracer<'_> {
    /// The exit code; `None` if the process was killed.
    fn until_the_end(&mut self) -> Result<Option<i32>, Errno> {
        let all = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            let status = match waitpid(None, Some(all)) {
                Err(Errno::EINTR) => continue,
                status => status?,
            };
            match status {
                WaitStatus::Exited(process, code) if process == self.leader => {
                    return Ok(Some(code));
                }
                WaitStatus::Signaled(process, ..) if process == self.leader => return Ok(None),
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                    self.pending.remove(&thread);
                }
                WaitStatus::PtraceSyscall(thread) => {
                    gone_is_fine(self.call(thread))?;
                    gone_is_fine(ptrace::syscall(thread, None))?;
                }
                WaitStatus::PtraceEvent(thread, ..) => {
                    gone_is_fine(ptrace::syscall(thread, None))?;
                }
                WaitStatus::Stopped(thread, signal) => {
                    gone_is_fine(ptrace::syscall(thread, signal))?;
                }
                WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
            }
        }
    }

    /// A thread stands before or after a call.
    fn call(&mut self, thread: Pid) -> Result<(), Errno> {
        let is_entry = ptrace::syscall_info(thread)?.op == libc::PTRACE_SYSCALL_INFO_ENTRY;
        let mut registers = ptrace::getregs(thread)?;
        if is_entry {
            let Some(call) = Call::decode(thread, &registers, self.folder) else {
                return Ok(());
            };
            let returns = match self.watcher.before(&call) {
                Verdict::Pass => None,
                Verdict::Return(value) => {
                    registers.orig_rax = u64::MAX;
                    ptrace::setregs(thread, registers)?;
                    Some(value)
                }
                Verdict::Shorten(length) => {
                    registers.rdx = length;
                    ptrace::setregs(thread, registers)?;
                    None
                }
            };
            self.pending.insert(thread, (call, returns));
            return Ok(());
        }
        let Some((call, returns)) = self.pending.remove(&thread) else {
            return Ok(());
        };
        if let Some(value) = returns {
            registers.rax = value.cast_unsigned();
            ptrace::setregs(thread, registers)?;
        }
        if !self.watcher.after(&call, registers.rax.cast_signed()) {
            kill(self.leader, Signal::SIGKILL)?;
        }
        Ok(())
    }
}

/// A thread may be killed at any moment.
fn gone_is_fine(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        result => result,
    }
}
