//! Exit codes and errors: every way a command can end.

use std::process::ExitCode;

use zeph_graph::{RunEnd, RunState};

/// How a command ends, for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Completed = 0,
    /// Something in the tool itself went wrong.
    Internal = 1,
    /// The command line or the plan is wrong.
    Usage = 2,
    /// The run failed, or was cancelled.
    Failed = 3,
    /// The run ended with tolerated failures.
    Degraded = 4,
    /// The run waits for an answer.
    Waiting = 5,
    /// The run took too long.
    TimedOut = 7,
    /// The store is busy or broken, or the run is owned elsewhere.
    Store = 8,
    /// Suspended by Ctrl-C.
    Interrupted = 130,
    /// Suspended by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// What the run's state comes to.
    pub(crate) const fn of(state: RunState) -> Self {
        match state {
            RunState::Ended(RunEnd::Completed) => Self::Completed,
            RunState::Ended(RunEnd::Degraded) => Self::Degraded,
            RunState::Ended(RunEnd::Failed | RunEnd::Canceled) => Self::Failed,
            RunState::Ended(RunEnd::TimedOut) => Self::TimedOut,
            RunState::Waiting
            | RunState::Running
            | RunState::Paused
            | RunState::Suspending
            | RunState::Suspended => Self::Waiting,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error for the person at the terminal: what happened, and what to type next.
#[derive(Debug)]
pub(crate) struct CliError {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// What happened, where.
    pub(crate) message: String,
    /// What to do now.
    pub(crate) help: Option<String>,
}

impl CliError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
