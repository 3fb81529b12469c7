//! Idle time-outs: an attempt without output, heartbeat or progress for too long is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::deadlines::{SETTLE, STANDSTILL};
use crate::message::{AttemptRef, Message};

/// The time of the last sign of life of an attempt.
#[derive(Debug)]
pub(crate) struct SignsOfLife {
    began: Instant,
    /// Microseconds after `began`.
    last: AtomicU64,
    /// The number of waits of the attempt for other work of its run.
    pauses: AtomicU32,
}

/// While it lives, the silence of an attempt does not count: it waits for other work of its run.
#[derive(Debug, Default)]
pub(crate) struct IdlePause(Option<Arc<SignsOfLife>>);

impl IdlePause {
    pub(crate) fn begin(signs: Option<&Arc<SignsOfLife>>) -> Self {
        if let Some(signs) = signs {
            signs.pauses.fetch_add(1, Ordering::Relaxed);
        }
        Self(signs.cloned())
    }
}

impl Drop for IdlePause {
    fn drop(&mut self) {
        if let Some(signs) = &self.0 {
            signs.note();
            signs.pauses.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl SignsOfLife {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
            pauses: AtomicU32::new(0),
        }
    }

    /// Notes a sign of life.
    pub(crate) fn note(&self) {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last.store(micros, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_micros(self.last.load(Ordering::Relaxed))
    }
}

/// The watch over one attempt. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct IdleWatch {
    pub(crate) signs: Arc<SignsOfLife>,
    watcher: AbortHandle,
}

impl Drop for IdleWatch {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl IdleWatch {
    /// Sends [`Message::Idle`] once the attempt has given no sign of life for `limit`.
    pub(crate) fn start(
        limit: Duration,
        from: AttemptRef,
        engine: mpsc::WeakSender<Message>,
    ) -> Self {
        let signs = Arc::new(SignsOfLife::new());
        let watched = Arc::clone(&signs);
        let watcher = tokio::spawn(async move {
            wait_until_idle(&watched, limit).await;
            if let Some(engine) = engine.upgrade() {
                // Fails if the engine has ended.
                let _ = engine.send(Message::Idle(from)).await;
            }
        });
        Self {
            signs,
            watcher: watcher.abort_handle(),
        }
    }
}

async fn wait_until_idle(signs: &SignsOfLife, limit: Duration) {
    // A limit beyond the range of the clock is no limit.
    while let Some(due) = signs.last().checked_add(limit) {
        sleep_until(due).await;
        // A process that stood still has not read what the attempt wrote meanwhile.
        if due.elapsed() > STANDSTILL {
            sleep(SETTLE).await;
        }
        if signs.pauses.load(Ordering::Relaxed) > 0 {
            signs.note();
        } else if signs.last().checked_add(limit) == Some(due) {
            return;
        }
    }
    std::future::pending::<()>().await;
}
