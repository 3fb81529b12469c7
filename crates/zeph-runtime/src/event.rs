//! Events for observers: saved records with names, error texts and questions, and unsaved progress.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::broadcast;
use zeph_common::{Boundary, Truncated, truncate};
use zeph_executor::{LogStream, Progress};
use zeph_graph::Attempt;
use zeph_memory::RequestId;
use zeph_scheduler::Event;

use crate::amendments::GraphChange;
use crate::growing_log::GrowingLog;
use crate::idle::{IdlePause, SignsOfLife};
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
        /// The run that made the result, if the record supplies one.
        from: Option<Arc<str>>,
        /// What a patch changed in the graph, if the record is that of one.
        change: Option<Box<GraphChange>>,
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
    /// The run waits for another run of its group. Not saved.
    Waits {
        /// The group.
        group: Arc<str>,
        /// The run that holds the group, if it is known.
        holder: Option<Arc<str>>,
    },
    /// A request from the inbox had no effect when the run was resumed. Not saved.
    Dropped {
        /// The number of the request.
        request: RequestId,
        /// The reason.
        why: Arc<str>,
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
    /// The log that is saved while it grows.
    pub(crate) log: Arc<GrowingLog>,
    /// The bytes of logs that the observers of the run have not read yet.
    pub(crate) buffered: Arc<AtomicUsize>,
    /// With an idle time-out.
    pub(crate) signs: Option<Arc<SignsOfLife>>,
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
            bytes: self.counted(match &self.lines {
                Some(clean) => clean.redact(lines),
                None => Cow::Borrowed(lines),
            }),
        });
    }

    /// The bytes, or a note in their place while the observers have too many left to read.
    fn counted(&self, bytes: Cow<'_, [u8]>) -> Bytes {
        let unread = self.buffered.fetch_add(bytes.len(), Ordering::Relaxed);
        if unread + bytes.len() <= MAX_BUFFERED {
            return Bytes::from_owner(Counted {
                bytes: bytes.into_owned(),
                count: Arc::clone(&self.buffered),
            });
        }
        self.buffered.fetch_sub(bytes.len(), Ordering::Relaxed);
        let note = format!(
            "[{} bytes are not shown: events are read too slowly]\n",
            bytes.len()
        );
        Bytes::from(note)
    }

    /// The text of a progress event, redacted. Of a long text only the head is copied.
    fn short(&self, text: &str) -> Arc<str> {
        let Some(clean) = &self.lines else {
            let short = truncate(text, MAX_PROGRESS_BYTES, Boundary::Char);
            return short.to_string().into();
        };
        // The redactor gets more than is shown, so that it finds a secret that begins before the cut.
        let head = truncate(text, 2 * MAX_PROGRESS_BYTES, Boundary::Word);
        let redacted = clean.redact(head.text.as_bytes());
        let redacted = String::from_utf8_lossy(&redacted);
        let Truncated { text, cut } = truncate(&redacted, MAX_PROGRESS_BYTES, Boundary::Char);
        let cut = cut + head.cut;
        Truncated { text, cut }.to_string().into()
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

impl AttemptObserver {
    /// Begins a wait of the attempt for other work of its run.
    pub(crate) fn pause(&self) -> IdlePause {
        IdlePause::begin(self.signs.as_ref())
    }

    fn is_alive(&self) {
        if let Some(signs) = &self.signs {
            signs.note();
        }
    }
}

impl Progress for AttemptObserver {
    fn heartbeat(&self) {
        self.is_alive();
    }

    fn progress(&self, text: &str) {
        self.is_alive();
        self.send(|task, attempt| RunEvent::Progress {
            task,
            attempt,
            text: self.short(text),
        });
    }

    fn log(&self, stream: LogStream, bytes: &[u8]) {
        self.is_alive();
        self.log.grew();
        match &self.lines {
            Some(lines) => self.send_log(stream, &lines.push(stream, bytes)),
            None => self.send_log(stream, bytes),
        }
    }
}
