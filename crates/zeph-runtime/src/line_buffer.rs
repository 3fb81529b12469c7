//! Line buffer: releases a log in whole lines, so that the redactor gets each secret in one piece.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeph_executor::{LogStream, Redact};

/// The most bytes that are held back of a log.
const HELD_BYTES: usize = 64 << 10;

/// A redactor, and the unfinished line of each log.
pub(crate) struct LineBuffer {
    redact: Arc<dyn Redact>,
    held: Mutex<[PartialLine; 3]>,
}

/// The unfinished line of a log.
#[derive(Debug, Default)]
struct PartialLine {
    bytes: Vec<u8>,
    /// The bytes so far of a word that is too long to be held, and is omitted.
    omitted: u64,
}

impl LineBuffer {
    pub(crate) fn new(redact: Arc<dyn Redact>) -> Self {
        Self {
            redact,
            held: Mutex::default(),
        }
    }

    pub(crate) fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.redact.redact(bytes)
    }

    /// Adds written bytes; returns the whole lines so far, not redacted yet.
    ///
    /// Linear in the number of bytes.
    pub(crate) fn push(&self, stream: LogStream, bytes: &[u8]) -> Vec<u8> {
        let mut lines = Vec::new();
        let mut held = self.lock();
        // By parts, so that no more than the limit is ever held.
        for part in bytes.chunks(HELD_BYTES) {
            held[stream as usize].push(part, &mut lines);
        }
        lines
    }

    /// The unfinished line, at the end of the log.
    pub(crate) fn rest(&self, stream: LogStream) -> Vec<u8> {
        let held = std::mem::take(&mut self.lock()[stream as usize]);
        let mut rest = held.note().into_bytes();
        rest.extend_from_slice(&held.bytes);
        rest
    }

    fn lock(&self) -> MutexGuard<'_, [PartialLine; 3]> {
        // A panic between two pushes leaves a consistent state.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialLine {
    fn push(&mut self, mut part: &[u8], lines: &mut Vec<u8>) {
        if self.omitted > 0 {
            let end = part.iter().position(u8::is_ascii_whitespace);
            self.omitted += end.unwrap_or(part.len()) as u64;
            let Some(end) = end else { return };
            lines.extend_from_slice(self.note().as_bytes());
            self.omitted = 0;
            part = &part[end..];
        }
        let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
        if let Some(at) = part.iter().rposition(is_break) {
            lines.append(&mut self.bytes);
            lines.extend_from_slice(&part[..=at]);
            part = &part[at + 1..];
        }
        self.bytes.extend_from_slice(part);
        if self.bytes.len() <= HELD_BYTES {
            return;
        }
        if let Some(at) = self.bytes.iter().rposition(u8::is_ascii_whitespace) {
            lines.extend(self.bytes.drain(..=at));
        }
        if self.bytes.len() > HELD_BYTES {
            self.omitted = std::mem::take(&mut self.bytes).len() as u64;
        }
    }

    /// The note that replaces an omitted word.
    fn note(&self) -> String {
        match self.omitted {
            0 => String::new(),
            bytes => format!("… {bytes} bytes without a space omitted …"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Hush;

    const SECRET: &str = "S3CRET";

    impl Redact for Hush {
        fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
            let text = String::from_utf8_lossy(text);
            Cow::Owned(text.replace(SECRET, "***").into_bytes())
        }
    }

    /// The output of the buffer for a log that is written in these pieces.
    fn buffered<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
        let lines = LineBuffer::new(Arc::new(Hush));
        let mut seen = Vec::new();
        for piece in pieces {
            let line = lines.push(LogStream::Stdout, piece);
            seen.extend_from_slice(&lines.redact(&line));
            assert!(lines.lock()[0].bytes.len() <= HELD_BYTES);
        }
        seen.extend_from_slice(&lines.redact(&lines.rest(LogStream::Stdout)));
        assert!(lines.rest(LogStream::Stdout).is_empty());
        String::from_utf8_lossy(&seen).into_owned()
    }

    #[test]
    fn whole_lines_are_passed_on() {
        let lines = LineBuffer::new(Arc::new(Hush));
        assert_eq!(lines.push(LogStream::Stdout, b"one\ntw"), b"one\n");
        assert_eq!(lines.push(LogStream::Stderr, b"!\n"), b"!\n");
        assert_eq!(lines.push(LogStream::Stdout, b"o"), b"");
        assert_eq!(lines.push(LogStream::Stdout, b"\r50 %\rth"), b"two\r50 %\r");
        assert_eq!(lines.rest(LogStream::Stdout), b"th");
    }

    #[test]
    fn a_long_line_is_passed_on_by_words_and_a_long_word_is_omitted() {
        let words = "word ".repeat(HELD_BYTES);
        assert_eq!(buffered(words.as_bytes().chunks(1_000)), words);
        let word = "x".repeat(3 * HELD_BYTES);
        let text = format!("a {word}{SECRET} b\n");
        let wanted = format!("a … {} bytes without a space omitted … b\n", word.len() + 6);
        assert_eq!(buffered(text.as_bytes().chunks(999)), wanted);
        assert_eq!(buffered(std::iter::once(text.as_bytes())), wanted);
        let seen = buffered(word.as_bytes().chunks(5_000));
        assert_eq!(
            seen,
            format!("… {} bytes without a space omitted …", word.len())
        );
    }

    proptest! {
        #[test]
        fn a_secret_in_pieces_is_found(
            words in prop::collection::vec("[a-z]{0,9}|S3CRET", 0..40),
            joints in prop::collection::vec("\n|\r|| ", 40),
            size in 1usize..30,
        ) {
            let text: String = words.iter().zip(&joints).flat_map(|(a, b)| [&**a, b]).collect();
            let seen = buffered(text.as_bytes().chunks(size));
            prop_assert_eq!(seen, text.replace(SECRET, "***"));
        }
    }
}
