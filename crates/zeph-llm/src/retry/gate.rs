//! The gate of a provider: closed during a `Retry-After`, then opened step by step.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

/// Limits the calls of all callers of one provider after a rate limit.
///
/// Passing an open gate takes one lock. When a service asks for a wait, the gate is closed for all callers.
/// After the wait one call is allowed, and each success allows one more, so the number of calls in flight
/// at most doubles per round (the slow start of TCP, RFC 5681). The gate is open again when half of the
/// permits stay unused. Another rate limit closes it again.
///
/// Clones are the same gate.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_llm::Gate;
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let gate = Gate::new();
/// assert_eq!(gate.closed_for(), None);
/// gate.close(Duration::from_secs(3));
/// assert_eq!(gate.closed_for(), Some(Duration::from_secs(3)));
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    draws: AtomicU64,
}

#[derive(Default)]
struct State {
    closed_until: Option<Instant>,
    /// The permits while the gate opens; `None` if it is open.
    opening: Option<Opening>,
}

struct Opening {
    permits: Arc<Semaphore>,
    size: usize,
}

impl State {
    /// How long the gate stays closed, and the permits while it opens.
    fn entry(&self) -> (Option<Duration>, Option<Arc<Semaphore>>) {
        let until = self.closed_until.unwrap_or_else(Instant::now);
        let left = until.saturating_duration_since(Instant::now());
        let permits = self.opening.as_ref().map(|one| Arc::clone(&one.permits));
        ((!left.is_zero()).then_some(left), permits)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Gate");
        debug
            .field("closed_for", &self.closed_for())
            .finish_non_exhaustive()
    }
}

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes the gate for at least that time. A gate that is closed for longer is unchanged.
    pub fn close(&self, wait: Duration) {
        let now = Instant::now();
        let Some(until) = now.checked_add(wait).filter(|until| *until > now) else {
            return;
        };
        let mut state = self.lock();
        let was_closed = state.closed_until.is_some_and(|known| known > now);
        state.closed_until = state.closed_until.max(Some(until));
        if was_closed {
            return;
        }
        // Callers that wait for a permit wait for the time instead; calls in flight return theirs to a closed
        // semaphore.
        let permits = Arc::new(Semaphore::new(1));
        if let Some(old) = state.opening.replace(Opening { permits, size: 1 }) {
            old.permits.close();
        }
    }

    /// How long the gate stays closed; `None` if it is not.
    #[must_use]
    pub fn closed_for(&self) -> Option<Duration> {
        self.lock().entry().0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A different number for each request at this gate.
    pub(super) fn draw(&self) -> u64 {
        self.0.draws.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for the permission to make a call, in the order of arrival.
    ///
    /// # Errors
    /// Fails fast: if the gate stays closed for longer than `max_wait`, returns the remaining time.
    pub(super) async fn enter(&self, max_wait: Duration) -> Result<CallPermit, Duration> {
        loop {
            let (left, permits) = self.lock().entry();
            if let Some(left) = left {
                if left > max_wait {
                    return Err(left);
                }
                sleep(left).await;
                continue;
            }
            let Some(permits) = permits else {
                return Ok(CallPermit { gate: None });
            };
            // An error means that the gate was closed again.
            if let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
                let gate = self.clone();
                return Ok(CallPermit {
                    gate: Some((gate, permits, permit)),
                });
            }
        }
    }
}

/// The permission to make one call; dropped at its end.
pub(super) struct CallPermit {
    gate: Option<(Gate, Arc<Semaphore>, OwnedSemaphorePermit)>,
}

impl CallPermit {
    /// Reports that the call succeeded, which allows one more.
    pub(super) fn succeeded(self) {
        let Some((gate, permits, permit)) = self.gate else {
            return;
        };
        let mut state = gate.lock();
        // A permit of an earlier opening does not count.
        let opening = state.opening.as_mut();
        let Some(opening) = opening.filter(|one| Arc::ptr_eq(&one.permits, &permits)) else {
            return;
        };
        // A free permit means that no caller waits.
        if opening.permits.available_permits() > opening.size / 2 {
            opening.permits.close();
            state.opening = None;
            state.closed_until = None;
        } else {
            opening.size += 1;
            opening.permits.add_permits(1);
        }
        drop(permit);
    }
}
