//! Events: what observers see. Saved records with names, and unsaved progress in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::broadcast;
use zeph_graph::Attempt;
use zeph_scheduler::Event;
use zeph_subagent::{LogStream, Progress, Redact};

use crate::content::redacted;

/// Something that an observer may want to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunEvent {
    /// A record that is saved.
    Saved(Event),
    /// An executor says how far it is. Not saved; untrusted text.
    Progress {
        /// The task.
        task: Arc<str>,
        /// The attempt.
        attempt: Attempt,
        /// What it says.
        text: Arc<str>,
    },
    /// An executor logged something. Saved when the attempt ends; untrusted bytes.
    Log {
        /// The task.
        task: Arc<str>,
        /// The attempt.
        attempt: Attempt,
        /// Which log.
        stream: LogStream,
        /// What was logged.
        bytes: Bytes,
    },
    /// This observer was too slow and missed that many events; the journal has the saved ones.
    Missed(u64),
}

/// A stream of events. Lossy and counted: a slow observer never holds the run up.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<RunEvent>);

impl Events {
    pub(crate) const fn new(receiver: broadcast::Receiver<RunEvent>) -> Self {
        Self(receiver)
    }

    /// The next event; `None` once the run is over or at rest and all its events are read.
    pub async fn next(&mut self) -> Option<RunEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(RunEvent::Missed(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Passes an attempt's signs of life on to the observers.
pub(crate) struct Watcher {
    pub(crate) events: broadcast::WeakSender<RunEvent>,
    /// Whether anybody has asked for the run's events yet.
    pub(crate) watched: Arc<AtomicBool>,
    pub(crate) task: Arc<str>,
    pub(crate) attempt: Attempt,
    pub(crate) redact: Option<Arc<dyn Redact>>,
}

impl Watcher {
    fn send(&self, event: impl FnOnce(Arc<str>, Attempt) -> RunEvent) {
        if self.watched.load(Ordering::Relaxed)
            && let Some(events) = self.events.upgrade()
            && events.receiver_count() > 0
        {
            // Nobody listening any more is fine.
            let _ = events.send(event(Arc::clone(&self.task), self.attempt));
        }
    }
}

impl Progress for Watcher {
    fn progress(&self, text: &str) {
        self.send(|task, attempt| RunEvent::Progress {
            task,
            attempt,
            text: String::from_utf8_lossy(&redacted(self.redact.as_deref(), text.as_bytes()))
                .into(),
        });
    }

    fn log(&self, stream: LogStream, bytes: &[u8]) {
        self.send(|task, attempt| RunEvent::Log {
            task,
            attempt,
            stream,
            bytes: Bytes::copy_from_slice(&redacted(self.redact.as_deref(), bytes)),
        });
    }
}
