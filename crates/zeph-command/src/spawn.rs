//! Spawns a command, and explains why it cannot be spawned.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::errno::Errno;
use tokio::process::{Child, Command};
use zeph_executor::{TaskContext, TaskError};

use crate::group::Group;
use crate::params::CommandParams;

/// The configuration of all commands of an executor.
pub(crate) struct CommandConfig {
    pub(crate) cwd: Option<PathBuf>,
    /// Rules for the names of variables that are not passed on.
    pub(crate) denied: Vec<DenyRule>,
    pub(crate) max_output: usize,
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

/// Spawns a command as the leader of its own process group.
pub(crate) fn start(
    config: &CommandConfig,
    cx: &TaskContext,
    params: &CommandParams,
    has_stdin: bool,
) -> Result<(Child, Group), TaskError> {
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
        .process_group(0)
        .kill_on_drop(true);
    if let Some(cwd) = &cwd {
        command.current_dir(cwd);
    }
    environment(&mut command, config, cx, params);
    match command.spawn() {
        Ok(child) => {
            let group = Group::led_by(&child);
            Ok((child, group))
        }
        Err(error) => Err(explain(program, cwd.as_deref(), error)),
    }
}

/// The directory of the command; `None` is the current one of this process.
fn directory(config: &CommandConfig, params: &CommandParams) -> Option<PathBuf> {
    match (&config.cwd, &params.cwd) {
        (Some(base), Some(dir)) => Some(base.join(dir)),
        (base, dir) => dir.as_ref().map(PathBuf::from).or_else(|| base.clone()),
    }
}

fn environment(
    command: &mut Command,
    config: &CommandConfig,
    cx: &TaskContext,
    params: &CommandParams,
) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if config.denied.iter().any(|rule| rule(&text)) {
            command.env_remove(&name);
        }
    }
    command
        .env("ZEPH_RUN", cx.run().as_str())
        .env("ZEPH_TASK", cx.name())
        .env("ZEPH_ATTEMPT", cx.attempt().to_string())
        .env("ZEPH_IDEMPOTENCY_KEY", cx.idempotency_key())
        .envs(&params.env);
}

/// The error of a command that cannot be spawned, with advice.
fn explain(program: &str, cwd: Option<&Path>, error: io::Error) -> TaskError {
    let directory_gone = cwd.filter(|dir| !dir.is_dir());
    let made = match (directory_gone, error.raw_os_error().map(Errno::from_raw)) {
        (Some(dir), _) => TaskError::permanent(format!(
            "the directory {dir:?} does not exist; create it, or change `cwd`"
        ))
        .with_code("cwd_missing"),
        (None, Some(Errno::ENOENT)) => TaskError::permanent(format!(
            "{program:?} was not found; install it, write its path, or check the first line (#!) of the script"
        ))
        .with_code("command_not_found"),
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
