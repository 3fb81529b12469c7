//! Spawns a command, waits where the system has no room for it, and explains why it cannot be spawned.

use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use command_fds::CommandFdExt as _;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use process_wrap::tokio::{CommandWrap, CommandWrapper as _, ProcessSession};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};
use zeph_executor::{LogStream, TaskContext, TaskError};

use crate::environment;
use crate::group::Group;
use crate::named_outputs::OutputFolder;
use crate::params::CommandParams;

/// The descriptors that a running command takes: two or three pipes and the handle of its process.
const DESCRIPTORS: u64 = 4;
/// The descriptors that are left for everything else.
const RESERVED: u64 = 64;
/// The waits before another try to start a command.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long a command waits for the system although no other command runs.
const ALONE: Duration = Duration::from_secs(60);

/// The configuration of all commands of an executor.
pub(crate) struct CommandConfig {
    pub(crate) cwd: Option<PathBuf>,
    /// Rules for the names of variables that are not passed on.
    pub(crate) denied: Vec<DenyRule>,
    /// The names of variables that are passed on although a rule excludes them.
    pub(crate) passed: Vec<String>,
    /// Files of variables, which inherited ones precede.
    pub(crate) env_files: Vec<PathBuf>,
    pub(crate) outputs: OutputFolder,
    pub(crate) max_output: usize,
    /// One for each command that the limit of descriptors allows at the same time.
    pub(crate) slots: Semaphore,
    /// Limits how many commands read their input files at the same time.
    pub(crate) hashing: Semaphore,
}

/// The number of commands that read their input files at the same time.
pub(crate) const HASHING: usize = 8;

/// The number of commands that may run at the same time.
pub(crate) fn slots() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(soft, _)| soft);
    let most = u32::try_from(limit.saturating_sub(RESERVED) / DESCRIPTORS).unwrap_or(u32::MAX);
    (most.max(1) as usize).min(Semaphore::MAX_PERMITS)
}

pub(crate) type DenyRule = Box<dyn Fn(&str) -> bool + Send + Sync>;

impl fmt::Debug for CommandConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandConfig")
            .field("cwd", &self.cwd)
            .field("deny_rules", &self.denied.len())
            .field("max_output", &self.max_output)
            .finish()
    }
}

/// A running command.
pub(crate) struct Started<'a> {
    pub(crate) child: Child,
    pub(crate) group: Group,
    _slot: SemaphorePermit<'a>,
}

/// Spawns a command as the leader of a session of its own, so that it has no terminal.
///
/// While the system has no descriptor, process or memory left, it waits: for a minute, or as long as other
/// commands of the executor run, whose ends make room.
pub(crate) async fn start<'a>(
    config: &'a CommandConfig,
    cx: &TaskContext,
    params: &CommandParams,
    has_stdin: bool,
    output_file: Option<&Path>,
) -> Result<Started<'a>, TaskError> {
    let cancelled = || TaskError::cancelled("stopped before the command was started");
    let slot = tokio::select! {
        slot = config.slots.acquire() => slot?,
        () = cx.cancelled() => return Err(cancelled()),
    };
    let (mut wait, began) = (SHORTEST_WAIT, Instant::now());
    loop {
        let error = match spawn(config, Some(cx), params, has_stdin, output_file)? {
            Ok(child) => {
                let group = Group::led_by(&child);
                return Ok(Started {
                    child,
                    group,
                    _slot: slot,
                });
            }
            Err(error) => error,
        };
        let is_alone = config.slots.available_permits() + 1 >= slots();
        if is_alone && began.elapsed() >= ALONE {
            return Err(error);
        }
        if wait == SHORTEST_WAIT {
            let reason = error.chain().join(": ");
            cx.log(LogStream::Trace, format!("waiting to start: {reason}\n"));
        }
        cx.progress("waiting to start: the system is out of processes, files or memory");
        tokio::select! {
            () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
            () = cx.cancelled() => return Err(cancelled()),
        }
    }
}

/// Spawns a program that belongs to no attempt, with pipes for all its streams.
pub(crate) fn service(config: &CommandConfig, params: &CommandParams) -> Result<Child, TaskError> {
    params.check()?;
    spawn(config, None, params, true, None)?
}

/// Spawns a process that kills a group when this process ends, also by SIGKILL: it reads the group from its standard
/// input, which only this process holds, and waits for the end of that.
pub(crate) fn watchdog() -> io::Result<Child> {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "read -r group && { read -r _; kill -KILL \"-$group\"; }",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let session = CommandWrap::with_new("", |_| {});
    ProcessSession.pre_spawn(&mut command, &session)?;
    command.spawn()
}

/// One try. The inner error may pass; the outer one does not.
fn spawn(
    config: &CommandConfig,
    cx: Option<&TaskContext>,
    params: &CommandParams,
    has_stdin: bool,
    output_file: Option<&Path>,
) -> Result<Result<Child, TaskError>, TaskError> {
    let files = environment::of_files(config, params)?;
    environment::check_passed(params, &files)?;
    let search = environment::search_path(config, params)?;
    let line = params.command_line()?;
    let (program, arguments) = line.split_first().unwrap_or((&"", &[]));
    let cwd = directory(config, params);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(if has_stdin {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(cwd) = &cwd {
        command.current_dir(cwd);
    }
    environment::set(&mut command, config, cx, params, files);
    if let Some(file) = output_file {
        command.env("ZEPH_OUTPUT", file);
    }
    if let Some(path) = &search {
        command.env("PATH", path);
    }
    let inherited = cx.map_or(&[][..], TaskContext::inherited).iter();
    let inherited: io::Result<Vec<OwnedFd>> = inherited
        .map(|file| file.as_fd().try_clone_to_owned())
        .collect();
    let session = CommandWrap::with_new("", |_| {});
    let spawned = inherited.and_then(|inherited| {
        if !inherited.is_empty() {
            command.preserved_fds(inherited);
        }
        ProcessSession.pre_spawn(&mut command, &session)?;
        command.spawn()
    });
    match spawned {
        Ok(child) => Ok(Ok(child)),
        Err(error) if is_exhausted(&error) => {
            Ok(Err(explain(program, params, cwd.as_deref(), error)))
        }
        Err(error) => Err(explain(program, params, cwd.as_deref(), error)),
    }
}

/// Whether the system has no descriptor, process or memory left.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN | Errno::ENOMEM)
    )
}

/// The directory of the command; `None` is the current one of this process.
pub(crate) fn directory(config: &CommandConfig, params: &CommandParams) -> Option<PathBuf> {
    match (&config.cwd, &params.cwd) {
        (Some(base), Some(dir)) => Some(base.join(dir)),
        (base, dir) => dir.as_ref().map(PathBuf::from).or_else(|| base.clone()),
    }
}

/// The error of a command that cannot be spawned, with advice.
fn explain(
    program: &str,
    params: &CommandParams,
    cwd: Option<&Path>,
    error: io::Error,
) -> TaskError {
    let directory_gone = cwd.filter(|dir| !dir.is_dir());
    let made = match (directory_gone, error.raw_os_error().map(Errno::from_raw)) {
        (Some(dir), _) => TaskError::permanent(format!(
            "the directory {dir:?} does not exist; create it, or change `cwd`"
        ))
        .with_code("cwd_missing"),
        (None, Some(Errno::ENOENT)) => {
            TaskError::permanent(not_found(program, params)).with_code("command_not_found")
        }
        (None, Some(Errno::EACCES | Errno::ENOEXEC | Errno::EPERM | Errno::ENOTDIR)) => {
            TaskError::permanent(format!(
                "{program:?} cannot be executed; make it executable (chmod +x), give a script a first line with #!, and check the permissions of its folders"
            ))
            .with_code("not_executable")
        }
        (None, Some(Errno::E2BIG)) => TaskError::permanent(format!(
            "the arguments and variables for {program:?} exceed the limit of the system; pass long ones on stdin or in a file"
        ))
        .with_code("arguments_too_long"),
        (None, _) => TaskError::retryable(format!(
            "{program:?} could not be started; the system may be out of processes, files or memory"
        ))
        .with_code("spawn_failed"),
    };
    made.with_source(error)
}

/// The message for a program that does not exist.
fn not_found(program: &str, params: &CommandParams) -> String {
    let is_searched = !program.contains('/');
    match params.env.get("PATH") {
        _ if is_searched && !params.path.is_empty() => format!(
            "{program:?} was not found in the folders of `path` ({}) or in PATH",
            params.path.join(", ")
        ),
        Some(path) if is_searched => {
            let expanded = if path.contains('$') {
                "; no variable is expanded in `env`: write `path = [\"FOLDER\"]` to add a folder"
            } else {
                ""
            };
            format!("{program:?} was not found in the task's own PATH ({path:?}){expanded}")
        }
        _ => format!(
            "{program:?} was not found; install it, write its path, or check the first line (#!) of the script"
        ),
    }
}
