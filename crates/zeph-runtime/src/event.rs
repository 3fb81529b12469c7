//! Events for observers: saved records with names, error texts and questions, and unsaved progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::broadcast;
use zeph_executor::{LogStream, Progress};
use zeph_graph::Attempt;
use zeph_scheduler::Event;

use crate::line_buffer::LineBuffer;
use crate::question::QuestionView;

/// An event of a run. Enough for any display without a look-up in the store.
#[derive(Clone, Debug)]
pub enum RunEvent {
    /// A record was saved.
    Saved {
        /// The record with its names.
        event: Event,
        /// The error text of the task's last attempt, redacted. Present for a failed attempt, and for a
        /// back-off, a question, a substitute or the failure of the task that follows from it.
        /// Untrusted text.
        error: Option<Arc<str>>,
        /// The question that was asked, unless it was closed again in the same commit.
        question: Option<Box<QuestionView>>,
    },
    /// An executor reported progress, at most 4 KiB of it. Not saved; untrusted text.
    Progress {
        /// The task.
        task: Arc<str>,
        /// The attempt.
        attempt: Attempt,
        /// The text.
        text: Arc<str>,
    },
    /// An executor logged something. Saved when the attempt ends; untrusted bytes.
    ///
    /// Without a redactor the bytes are passed on as they were written. With a redactor each log is
    /// held back to its last line break, so that a secret that was written in two pieces is found; the
    /// rest follows when the attempt ends. A secret that contains line breaks is found here only if
    /// its lines were written at once; the saved log is redacted as a whole. Of a line of more than
    /// 64 KiB whole words are passed on; a longer word is replaced by a note. While more than 16 MiB wait for
    /// the observers of a run, a note takes the place of the bytes.
    Log {
        /// The task.
        task: Arc<str>,
        /// The attempt.
        attempt: Attempt,
        /// The log stream.
        stream: LogStream,
        /// The logged bytes.
        bytes: Bytes,
    },
    /// This observer was too slow and missed that many events. The journal has the saved ones.
    Missed(u64),
}

/// A stream of events. A slow observer misses events, and gets their number; it never delays the run.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<RunEvent>);

impl Events {
    pub(crate) const fn new(receiver: broadcast::Receiver<RunEvent>) -> Self {
        Self(receiver)
    }

    /// The next event; `None` once the run is unloaded and all its events are read.
    pub async fn next(&mut self) -> Option<RunEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(RunEvent::Missed(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Passes an attempt's progress and logs on to the observers.
pub(crate) struct AttemptObserver {
    pub(crate) events: broadcast::WeakSender<RunEvent>,
    /// Whether the run's events have been subscribed to.
    pub(crate) watched: Arc<AtomicBool>,
    pub(crate) task: Arc<str>,
    pub(crate) attempt: Attempt,
    /// With a redactor: the unfinished line of each log.
    pub(crate) lines: Option<LineBuffer>,
    /// The bytes of logs that the observers of the run have not read yet.
    pub(crate) buffered: Arc<AtomicUsize>,
}

/// The most bytes of logs that wait for the observers of a run.
const MAX_BUFFERED: usize = 16 << 20;

/// The longest text of a progress event.
const MAX_PROGRESS_BYTES: usize = 4 << 10;

/// Bytes that are counted until the last observer has dropped them.
struct Counted {
    bytes: Vec<u8>,
    count: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl AttemptObserver {
    /// Sends the unfinished lines, when the attempt has ended.
    pub(crate) fn flush(&self) {
        let Some(lines) = &self.lines else { return };
        for stream in LogStream::ALL {
            self.send_log(stream, &lines.rest(stream));
        }
    }

    /// Sends whole lines of a log, redacted.
    fn send_log(&self, stream: LogStream, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        self.send(|task, attempt| RunEvent::Log {
            task,
            attempt,
            stream,
            bytes: match &self.lines {
                Some(clean) => self.counted(&clean.redact(lines)),
                None => self.counted(lines),
            },
        });
    }

    /// The bytes, or a note in their place while the observers have too many left to read.
    fn counted(&self, bytes: &[u8]) -> Bytes {
        let before = self.buffered.fetch_add(bytes.len(), Ordering::Relaxed);
        let counted = Counted {
            bytes: bytes.to_vec(),
            count: Arc::clone(&self.buffered),
        };
        if before + bytes.len() <= MAX_BUFFERED {
            return Bytes::from_owner(counted);
        }
        let note = format!(
            "[{} bytes are not shown: events are read too slowly]\n",
            bytes.len()
        );
        Bytes::from(note)
    }

    fn send(&self, event: impl FnOnce(Arc<str>, Attempt) -> RunEvent) {
        if self.watched.load(Ordering::Relaxed)
            && let Some(events) = self.events.upgrade()
            && events.receiver_count() > 0
        {
            // Fails if the last observer was dropped in the meantime.
            let _ = events.send(event(Arc::clone(&self.task), self.attempt));
        }
    }
}

fn short(text: &str) -> Arc<str> {
    if text.len() <= MAX_PROGRESS_BYTES {
        return text.into();
    }
    let end = text.floor_char_boundary(MAX_PROGRESS_BYTES);
    format!("{}… ({} bytes cut)", &text[..end], text.len() - end).into()
}

impl Progress for AttemptObserver {
    fn progress(&self, text: &str) {
        self.send(|task, attempt| RunEvent::Progress {
            task,
            attempt,
            text: match &self.lines {
                Some(clean) => short(&String::from_utf8_lossy(&clean.redact(text.as_bytes()))),
                None => short(text),
            },
        });
    }

    fn log(&self, stream: LogStream, bytes: &[u8]) {
        match &self.lines {
            Some(lines) => self.send_log(stream, &lines.push(stream, bytes)),
            None => self.send_log(stream, bytes),
        }
    }
}
