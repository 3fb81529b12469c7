//! Starting a command, and saying why one cannot be started.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::errno::Errno;
use tokio::process::{Child, Command};
use zeph_executor::{TaskContext, TaskError};

use crate::executor::Setup;
use crate::group::Group;
use crate::params::CommandParams;

/// Starts a command as the leader of a group of its own.
pub(crate) fn start(
    setup: &Setup,
    cx: &TaskContext,
    params: &CommandParams,
    has_stdin: bool,
) -> Result<(Child, Group), TaskError> {
    let line = params.command_line()?;
    let (program, arguments) = line.split_first().unwrap_or((&"", &[]));
    let cwd = directory(setup, params);
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
    environment(&mut command, setup, cx, params);
    match command.spawn() {
        Ok(child) => {
            let group = Group::led_by(&child);
            Ok((child, group))
        }
        Err(error) => Err(explain(program, cwd.as_deref(), error)),
    }
}

/// Where the command runs; `None` is where this process is.
fn directory(setup: &Setup, params: &CommandParams) -> Option<PathBuf> {
    match (&setup.cwd, &params.cwd) {
        (Some(base), Some(dir)) => Some(base.join(dir)),
        (base, dir) => dir.as_ref().map(PathBuf::from).or_else(|| base.clone()),
    }
}

fn environment(command: &mut Command, setup: &Setup, cx: &TaskContext, params: &CommandParams) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if setup.denied.iter().any(|rule| rule(&text)) {
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

/// Why a command did not start, whether to try again, and what to do about it.
fn explain(program: &str, cwd: Option<&Path>, error: io::Error) -> TaskError {
    let directory_gone = cwd.filter(|dir| !dir.is_dir());
    let made = match (directory_gone, error.raw_os_error().map(Errno::from_raw)) {
        (Some(dir), _) => TaskError::permanent(format!(
            "the directory {dir:?} is not there; create it, or change `cwd`"
        ))
        .with_code("cwd_missing"),
        (None, Some(Errno::ENOENT)) => TaskError::permanent(format!(
            "{program:?} was not found; install it, write its path, or check the first line (#!) of the script"
        ))
        .with_code("command_not_found"),
        (None, Some(Errno::EACCES | Errno::ENOEXEC | Errno::EPERM | Errno::ENOTDIR)) => {
            TaskError::permanent(format!(
                "{program:?} cannot be executed; make it executable (chmod +x), give a script a first line with #!, and check that its folders may be entered"
            ))
            .with_code("not_executable")
        }
        (None, Some(Errno::E2BIG)) => TaskError::permanent(format!(
            "the arguments and variables for {program:?} are longer than the system allows; pass the long ones on stdin or in a file"
        ))
        .with_code("arguments_too_long"),
        (None, _) => TaskError::retryable(format!(
            "{program:?} could not be started; the system may be out of processes, files or memory"
        ))
        .with_code("spawn_failed"),
    };
    made.with_source(error)
}
