//! Signals: Ctrl-C and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{CliError, Exit};

/// The signals that stop a run.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// The exit code of the first signal.
    pub(crate) first: Option<Exit>,
}

/// From here on a signal does not end the process; [`Signals::next`] returns it.
pub(crate) fn listen() -> Result<Signals, CliError> {
    let failed = |error| {
        CliError::new(
            Exit::Internal,
            format!("the signal handlers cannot be installed: {error}"),
        )
    };
    Ok(Signals {
        interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        terminate: signal(SignalKind::terminate()).map_err(failed)?,
        first: None,
    })
}

impl Signals {
    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        let exit = tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        };
        self.note(exit);
    }

    /// Waits for the first signal, and returns the exit code that it leads to.
    pub(crate) async fn first(mut self) -> Exit {
        self.next().await;
        self.first.unwrap_or(Exit::Interrupted)
    }

    /// A Ctrl-C that a prompt read as a key.
    pub(crate) fn note(&mut self, exit: Exit) {
        self.first.get_or_insert(exit);
    }
}
