//! Cancellation of an attempt, in two stages.

use tokio_util::sync::CancellationToken;

/// The cancellation tokens of an attempt: the driver triggers them, and the executor reads them from its
/// [`TaskContext`](crate::TaskContext).
///
/// The first stage cancels, the second kills. A kill also cancels, so an executor that watches only the
/// first token sees both. Clones share the tokens, and a stage cannot be undone.
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
    /// Tokens of an attempt that is not canceled.
    #[must_use]
    pub fn new() -> Self {
        let kill = CancellationToken::new();
        Self {
            cancel: kill.child_token(),
            kill,
        }
    }

    /// Requests that the attempt stops within its grace period. A second call is a no-op.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Requires that the attempt stops at once, without cleaning up. A second call is a no-op.
    pub fn kill(&self) {
        self.kill.cancel();
    }

    /// The token of the first stage; a kill cancels it as well.
    #[must_use]
    pub fn cancel_token(&self) -> &CancellationToken {
        &self.cancel
    }

    /// The token of the second stage.
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
