//! Signals: Ctrl-C and SIGTERM, counted.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{CliError, Exit};

/// The two signals that ask a run to rest.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    seen: u32,
    first: Option<Exit>,
}

/// From here on a signal is a wish, not a kill.
pub(crate) fn listen() -> Result<Signals, CliError> {
    let failed = |error| {
        CliError::new(
            Exit::Internal,
            format!("signals cannot be listened to: {error}"),
        )
    };
    Ok(Signals {
        interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        terminate: signal(SignalKind::terminate()).map_err(failed)?,
        seen: 0,
        first: None,
    })
}

impl Signals {
    /// Waits for the next one. Returns how many there were.
    pub(crate) async fn next(&mut self) -> u32 {
        let exit = tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        };
        self.note(exit)
    }

    /// Waits for the first one, and says how it ends the process.
    pub(crate) async fn first(mut self) -> Exit {
        self.next().await;
        self.first.unwrap_or(Exit::Interrupted)
    }

    /// A Ctrl-C that a prompt took for itself.
    pub(crate) fn note(&mut self, exit: Exit) -> u32 {
        self.first.get_or_insert(exit);
        self.seen += 1;
        self.seen
    }

    /// How a run that rests because of a signal ends the process.
    pub(crate) const fn exit(&self) -> Option<Exit> {
        self.first
    }
}
