//! Signals: Ctrl-C, SIGTERM, Ctrl-\ and a closed terminal suspend a run.

use std::future::pending;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{CliError, Exit};

/// SIGXFSZ on Linux and macOS.
const FILE_SIZE_LIMIT: i32 = 25;

/// The signals that stop a run.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    /// Until the first one: shell and kernel both send it when a terminal is closed. `None` also under
    /// `nohup`.
    hang_up: Option<Signal>,
    /// The exit code of the first signal.
    pub(crate) first: Option<Exit>,
}

/// From here on a signal does not end the process; [`Signals::next`] returns it.
pub(crate) fn listen() -> Result<Signals, CliError> {
    let hears_hang_up = !is_ignored(nix::sys::signal::SIGHUP as i32);
    Ok(Signals {
        interrupt: handler(SignalKind::interrupt())?,
        terminate: handler(SignalKind::terminate())?,
        quit: handler(SignalKind::quit())?,
        hang_up: (hears_hang_up.then(|| handler(SignalKind::hangup()))).transpose()?,
        first: None,
    })
}

/// Ctrl-Z, which stops the process from here on only through [`stop_process`]. `None` where it is ignored.
pub(super) fn stop_key() -> Option<Signal> {
    let is_heard = !is_ignored(nix::sys::signal::SIGTSTP as i32);
    let kind = SignalKind::from_raw(nix::sys::signal::SIGTSTP as i32);
    is_heard.then(|| handler(kind).ok()).flatten()
}

/// Stops this process until SIGCONT. Commands continue.
pub(super) fn stop_process() {
    // A process may always stop itself.
    let _ = kill(Pid::this(), nix::sys::signal::SIGSTOP);
}

/// A write beyond the limit of a file's size fails from here on, instead of ending the process. A handler
/// does that, because commands would inherit an ignored signal.
pub(crate) fn survive_file_size_limit() -> Result<(), CliError> {
    handler(SignalKind::from_raw(FILE_SIZE_LIMIT)).map(drop)
}

fn handler(kind: SignalKind) -> Result<Signal, CliError> {
    signal(kind).map_err(|error| {
        CliError::new(
            Exit::Internal,
            format!("the signal handlers cannot be installed: {error}"),
        )
    })
}

/// Whether the process was started with this signal ignored. Only Linux tells it without unsafe code.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

impl Signals {
    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => pending().await,
            }
        };
        let exit = tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.quit.recv() => Exit::Quit,
            _ = hang_up => {
                self.hang_up = None;
                Exit::HungUp
            }
        };
        self.first.get_or_insert(exit);
    }

    /// Waits for the first signal, and returns the exit code that it leads to.
    pub(crate) async fn first(mut self) -> Exit {
        self.next().await;
        self.first.unwrap_or(Exit::Interrupted)
    }
}
