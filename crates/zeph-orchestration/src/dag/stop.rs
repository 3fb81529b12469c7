//! Stop: how an attempt learns that its result is no longer wanted.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A flag that is raised once, and that a thread can wait for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    pub(crate) fn raise(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    pub(crate) fn is_raised(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the flag is up, at most that long; says whether it is.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let flag = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = (self.0.1).wait_timeout_while(flag, at_most, |raised| !*raised);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
