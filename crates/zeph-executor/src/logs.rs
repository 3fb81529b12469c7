//! Logs, progress and heartbeats of a running attempt.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeph_common::HeadTailBuffer;

use crate::journal::Redact;

/// The default limit of each stream of an attempt, in bytes: 256 KiB.
pub const DEFAULT_LOG_BYTES: usize = 256 << 10;

/// The bytes on either side of a cut that are buffered until the logs are taken, so that a secret of at
/// most this length that the cut splits is found.
const MARGIN_BYTES: usize = 16 << 10;

/// The log that a line belongs to.
///
/// Closed: the store has one part per stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// The standard output of the work.
    Stdout,
    /// The standard error of the work.
    Stderr,
    /// Messages of the executor about itself.
    Trace,
}

impl LogStream {
    /// All streams, in order.
    pub const ALL: [Self; 3] = [Self::Stdout, Self::Stderr, Self::Trace];

    /// The name in files, columns and flags: `stdout`, `stderr`, `trace`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Trace => "trace",
        }
    }
}

/// The bounded logs of one attempt: the head and the tail of each stream.
///
/// Up to 16 KiB more on either side of a cut are in memory, and never returned; the redactor uses them to
/// find a secret that spans the cut.
///
/// Clones share the buffers. The executor writes through its context; the driver takes the logs when
/// the attempt ends.
///
/// # Examples
/// ```
/// use zeph_executor::{LogStream, Logs};
/// let logs = Logs::new(4);
/// logs.write(LogStream::Stderr, b"0123456789");
/// let taken = logs.take();
/// assert_eq!(taken.len(), 1);
/// assert_eq!(taken[0].1, "01\n… 6 bytes cut …\n89".as_bytes());
/// assert!(logs.take().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Logs {
    limit: usize,
    streams: Arc<Mutex<[HeadTailBuffer; 3]>>,
}

impl Logs {
    /// Empty logs of at most `bytes_per_stream` per stream; with 0 they only count bytes.
    #[must_use]
    pub fn new(bytes_per_stream: usize) -> Self {
        let streams = [(); 3].map(|()| HeadTailBuffer::with_margin(bytes_per_stream, MARGIN_BYTES));
        Self {
            limit: bytes_per_stream,
            streams: Arc::new(Mutex::new(streams)),
        }
    }

    /// Appends to a stream. Beyond the limit the middle of the stream is dropped.
    pub fn write(&self, stream: LogStream, bytes: &[u8]) {
        self.lock()[stream as usize].push(bytes);
    }

    /// The number of bytes dropped from the middle of a stream so far.
    #[must_use]
    pub fn dropped(&self, stream: LogStream) -> u64 {
        self.lock()[stream as usize].dropped()
    }

    /// Takes all logs; returns the streams that are not empty, each with a marker where it was cut.
    ///
    /// An abandoned attempt can still write into the emptied buffers, within the limit.
    #[must_use]
    pub fn take(&self) -> Vec<(LogStream, Bytes)> {
        self.take_redacted(None)
    }

    /// As [`take`](Self::take), redacted.
    ///
    /// A secret that a cut splits is removed as a whole, if it has at most 16 KiB as it was written.
    #[must_use]
    pub fn take_redacted(&self, redact: Option<&dyn Redact>) -> Vec<(LogStream, Bytes)> {
        let fresh = [(); 3].map(|()| HeadTailBuffer::with_margin(self.limit, MARGIN_BYTES));
        let taken = std::mem::replace(&mut *self.lock(), fresh);
        let taken = rendered(&taken, redact).into_iter();
        taken
            .map(|(stream, bytes)| (stream, Bytes::from(bytes)))
            .collect()
    }

    /// The logs so far, redacted; they go on. Of a redacted stream only whole lines: half of a secret would
    /// not be found. A secret that contains line breaks is found only once it was written as a whole.
    #[must_use]
    pub fn so_far(&self, redact: Option<&dyn Redact>) -> Vec<(LogStream, Bytes)> {
        let streams = self.lock().clone();
        let mut logs = Vec::new();
        for (stream, mut bytes) in rendered(&streams, redact) {
            if redact.is_some() {
                let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
                bytes.truncate(bytes.iter().rposition(is_break).map_or(0, |at| at + 1));
            }
            if !bytes.is_empty() {
                logs.push((stream, Bytes::from(bytes)));
            }
        }
        logs
    }

    fn lock(&self) -> MutexGuard<'_, [HeadTailBuffer; 3]> {
        // A panic between two pushes leaves a consistent state.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The streams that are not empty.
fn rendered(
    streams: &[HeadTailBuffer; 3],
    redact: Option<&dyn Redact>,
) -> Vec<(LogStream, Vec<u8>)> {
    let render = |log: &HeadTailBuffer| match redact {
        Some(redact) => log.render_redacted(&|bytes| redact.redact(bytes)),
        None => log.render(),
    };
    LogStream::ALL
        .into_iter()
        .zip(streams)
        .filter(|(_, log)| !log.is_empty())
        .map(|(stream, log)| (stream, render(log)))
        .collect()
}

impl Default for Logs {
    fn default() -> Self {
        Self::new(DEFAULT_LOG_BYTES)
    }
}

/// Receives progress, logs and heartbeats of a running attempt, in the driver.
///
/// Called from the executor's own task, so an implementation must return at once. Every method does
/// nothing unless it is overridden.
pub trait Progress: Send + Sync {
    /// The executor reported progress. The text is untrusted.
    fn progress(&self, _text: &str) {}

    /// The executor logged these bytes, which are untrusted and may be cut anywhere.
    fn log(&self, _stream: LogStream, _bytes: &[u8]) {}

    /// The executor reported that it is alive. No driver acts on it today; idle time-outs and
    /// distributed back ends will.
    fn heartbeat(&self) {}
}

/// Ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}

#[cfg(test)]
mod tests {
    use super::{LogStream, Logs, MARGIN_BYTES, Redact};
    use proptest::prelude::*;
    use std::borrow::Cow;

    #[test]
    fn streams_do_not_mix_and_keep_their_order() {
        let logs = Logs::default();
        logs.write(LogStream::Trace, b"t");
        logs.clone().write(LogStream::Stdout, b"a");
        logs.write(LogStream::Stdout, b"b");
        let taken: Vec<_> = logs
            .take()
            .into_iter()
            .map(|(s, b)| (s.name(), b))
            .collect();
        assert_eq!(taken, [("stdout", "ab".into()), ("trace", "t".into())]);
    }

    #[test]
    fn logs_so_far_are_whole_lines_and_go_on() {
        let logs = Logs::default();
        for text in ["one\nS3CRET", "KEY\ntwo"] {
            logs.write(LogStream::Stdout, text.as_bytes());
            let so_far = logs.so_far(Some(&Hush));
            let so_far = String::from_utf8_lossy(&so_far[0].1).into_owned();
            let wanted = if text.starts_with("one") {
                "one\n"
            } else {
                "one\n***\n"
            };
            assert_eq!(so_far, wanted);
        }
        assert_eq!(logs.so_far(None)[0].1, "one\nS3CRETKEY\ntwo");
        logs.write(LogStream::Stderr, b"no line break");
        assert_eq!(logs.so_far(Some(&Hush)).len(), 1);
        assert_eq!(logs.take().len(), 2, "nothing was taken before");
    }

    #[test]
    fn a_flood_stays_within_the_limit() {
        let logs = Logs::new(1_000);
        for _ in 0..10_000 {
            logs.write(LogStream::Stdout, &[b'x'; 100]);
        }
        assert_eq!(logs.dropped(LogStream::Stdout), 999_000);
        assert!(logs.take()[0].1.len() < 1_100);
    }

    /// Secrets that begin with capital letters and may have white space, in Base64 as well.
    struct Hush;

    const SECRETS: [&str; 3] = ["PASS PHRASE\nOF\nLINES", "S3CRETKEY", "UzNDUkVUS0VZ"];

    impl Redact for Hush {
        fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
            let text = String::from_utf8_lossy(text).into_owned();
            let clean = SECRETS
                .iter()
                .fold(text, |text, one| text.replace(one, "***"));
            Cow::Owned(clean.into_bytes())
        }
    }

    proptest! {
        #[test]
        fn a_secret_beside_a_cut_is_not_in_the_logs(
            before in 0usize..60, after in 0usize..60, which in 0usize..3, limit in 1usize..100,
            more in prop_oneof![Just(0), Just(3 * MARGIN_BYTES)],
        ) {
            let text = [
                &"x".repeat(before), SECRETS[which], &"y ".repeat(more), SECRETS[which],
                &"z".repeat(after),
            ];
            let logs = Logs::new(limit);
            text.iter().for_each(|piece| logs.write(LogStream::Stdout, piece.as_bytes()));
            let taken = logs.take_redacted(Some(&Hush));
            let taken = String::from_utf8_lossy(&taken[0].1);
            prop_assert!(!taken.contains(|c: char| c.is_ascii_uppercase()), "{taken}");
        }
    }
}
