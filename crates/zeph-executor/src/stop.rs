//! Telling an attempt to stop, in two stages.

use tokio_util::sync::CancellationToken;

/// The driver's end of an attempt's cancellation.
///
/// The first stage asks, the second kills: a kill is also a request to stop, so an executor that
/// watches only the first stage sees both. Clones are the same switch, and stages never go back.
///
/// # Examples
/// ```
/// use zeph_executor::Stop;
/// let stop = Stop::new();
/// stop.kill();
/// assert!(stop.cancel_token().is_cancelled());
/// ```
#[derive(Clone, Debug)]
pub struct Stop {
    cancel: CancellationToken,
    kill: CancellationToken,
}

impl Stop {
    /// A switch in the position "go on".
    #[must_use]
    pub fn new() -> Self {
        let kill = CancellationToken::new();
        Self {
            cancel: kill.child_token(),
            kill,
        }
    }

    /// Asks the attempt to stop within its grace. Again is a no-op.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Tells the attempt to stop at once, without cleaning up. Again is a no-op.
    pub fn kill(&self) {
        self.kill.cancel();
    }

    /// The first stage; cancelled by a kill as well.
    #[must_use]
    pub fn cancel_token(&self) -> &CancellationToken {
        &self.cancel
    }

    /// The second stage.
    #[must_use]
    pub fn kill_token(&self) -> &CancellationToken {
        &self.kill
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
