//! Events: what observers see. Saved records with names, and unsaved progress in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::broadcast;
use zeph_executor::{LogStream, Progress};
use zeph_graph::Attempt;
use zeph_scheduler::Event;

use crate::feed::Lines;

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
    ///
    /// An engine without a redactor passes on what was written, as it was written. One with a redactor
    /// holds each log back to its last line break, so that a secret that came in two pieces is found,
    /// and tells the rest when the attempt ends. A secret that itself has line breaks is found here
    /// only if its lines came in one piece; the saved log is redacted as a whole. Of a line of more
    /// than 64 KiB the words that fit are told as they come; a word longer than that is left out, and
    /// a note in its place says so.
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
    /// With a redactor: what is held back of each log.
    pub(crate) lines: Option<Lines>,
}

impl Watcher {
    /// Tells what is still held back: the attempt is over.
    pub(crate) fn flush(&self) {
        let Some(lines) = &self.lines else { return };
        for stream in LogStream::ALL {
            self.tell(stream, &lines.rest(stream));
        }
    }

    /// Tells whole lines of a log, without their secrets.
    fn tell(&self, stream: LogStream, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        self.send(|task, attempt| RunEvent::Log {
            task,
            attempt,
            stream,
            bytes: match &self.lines {
                Some(clean) => Bytes::copy_from_slice(&clean.redact(lines)),
                None => Bytes::copy_from_slice(lines),
            },
        });
    }

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
            text: match &self.lines {
                Some(clean) => String::from_utf8_lossy(&clean.redact(text.as_bytes())).into(),
                None => text.into(),
            },
        });
    }

    fn log(&self, stream: LogStream, bytes: &[u8]) {
        match &self.lines {
            Some(lines) => self.tell(stream, &lines.push(stream, bytes)),
            None => self.tell(stream, bytes),
        }
    }
}
