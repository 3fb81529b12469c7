//! Deadlines: the timers of all runs, and what a standstill of the process delays.

use std::time::Duration;

use zeph_graph::Timestamp;
use zeph_scheduler::Input;

use crate::core::Core;
use crate::message::Key;

/// A timer that fires later than this shows that the process stood still.
pub(crate) const STANDSTILL: Duration = Duration::from_millis(500);
/// How long work that ended during a standstill has to report, before the timers fire.
pub(crate) const SETTLE: Duration = Duration::from_millis(500);

impl Core {
    /// Passes the deadlines on that are over. A result that was there first wins, also when the process
    /// was stopped meanwhile.
    pub(crate) fn fire_deadlines(&mut self) {
        let now = self.config.clock.now();
        let first = self.deadlines.first();
        let is_late = first.is_some_and(|(at, _)| now.since(*at) > STANDSTILL);
        if is_late && !self.attempts.is_empty() {
            let settled_at = *self.settled_at.get_or_insert(now.after(SETTLE));
            if now < settled_at {
                return;
            }
        }
        self.settled_at = None;
        while let Some(&(at, key)) = self.deadlines.first() {
            if at > now {
                return;
            }
            self.set_deadline(key, None);
            self.handle(key, Input::Tick);
        }
    }

    pub(crate) fn set_deadline(&mut self, key: Key, at: Option<Timestamp>) {
        let old = match at {
            Some(at) => self.deadline_of.insert(key, at),
            None => self.deadline_of.remove(&key),
        };
        if let Some(old) = old {
            self.deadlines.remove(&(old, key));
        }
        if let Some(at) = at {
            self.deadlines.insert((at, key));
        }
    }
}
