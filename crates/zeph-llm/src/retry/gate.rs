//! The gate of a provider: closed while the service wants to be left alone, opened step by step.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// What all callers of one provider wait at.
///
/// An open gate costs a lock and lets everybody through. A service that asks to wait closes it for all.
/// When that time is over callers do not return as one: first one call goes out, and each that succeeds
/// makes room for one more, so calls in flight at most double with every round (the slow start of TCP,
/// RFC 5681). When half of the room stays unused the gate is open again. A refusal on the way closes it
/// anew.
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
    /// How many may be in flight while the gate opens; `None` when it is open.
    slow: Option<Slow>,
}

struct Slow {
    room: Arc<Semaphore>,
    size: usize,
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

    /// Closes the gate for at least so long. A gate that is closed for longer stays as it is.
    pub fn close(&self, wait: Duration) {
        let Some(until) = Instant::now().checked_add(wait) else {
            return;
        };
        if wait.is_zero() {
            return;
        }
        let mut state = self.lock();
        let was_closed = state
            .closed_until
            .is_some_and(|known| known > Instant::now());
        if state.closed_until.is_none_or(|known| known < until) {
            state.closed_until = Some(until);
        }
        if was_closed {
            return;
        }
        // Who waits for room waits for the time instead; calls in flight give their room back to nobody.
        let room = Arc::new(Semaphore::new(1));
        if let Some(old) = state.slow.replace(Slow { room, size: 1 }) {
            old.room.close();
        }
    }

    /// How long the gate stays closed; `None` if it is not.
    #[must_use]
    pub fn closed_for(&self) -> Option<Duration> {
        let until = self.lock().closed_until?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number of its own for each request that comes to this gate.
    pub(super) fn draw(&self) -> u64 {
        self.0.draws.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits until a call may go out. Callers that wait for room go in the order in which they came.
    ///
    /// # Errors
    /// How long the gate stays closed, as soon as that is longer than `most`.
    pub(super) async fn enter(&self, most: Duration) -> Result<Turn, Duration> {
        loop {
            let (until, room) = {
                let state = self.lock();
                let until = state.closed_until.filter(|until| *until > Instant::now());
                (
                    until,
                    state.slow.as_ref().map(|slow| Arc::clone(&slow.room)),
                )
            };
            if let Some(until) = until {
                let left = until.saturating_duration_since(Instant::now());
                if left > most {
                    return Err(left);
                }
                sleep_until(until).await;
                continue;
            }
            let Some(room) = room else {
                return Ok(Turn { gate: None });
            };
            // An error means that this room is closed: look again.
            if let Ok(permit) = Arc::clone(&room).acquire_owned().await {
                let gate = self.clone();
                return Ok(Turn {
                    gate: Some((gate, room, permit)),
                });
            }
        }
    }
}

/// The right to make one call; dropped when it is over.
pub(super) struct Turn {
    gate: Option<(Gate, Arc<Semaphore>, OwnedSemaphorePermit)>,
}

impl Turn {
    /// The call succeeded: there is room for one more.
    pub(super) fn went_well(self) {
        let Some((gate, room, permit)) = self.gate else {
            return;
        };
        let mut state = gate.lock();
        let Some(slow) = &mut state.slow else {
            return;
        };
        // The room of an earlier opening says nothing about this one.
        if !Arc::ptr_eq(&slow.room, &room) {
            return;
        }
        // Room that is free means that nobody waits for it.
        if slow.room.available_permits() > slow.size / 2 {
            slow.room.close();
            state.slow = None;
            state.closed_until = None;
        } else {
            slow.size += 1;
            slow.room.add_permits(1);
        }
        drop(permit);
    }
}
