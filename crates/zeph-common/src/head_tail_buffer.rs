//! A bounded buffer of bytes that keeps the head and the tail of the pushed bytes.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::truncate::marker;

/// A buffer that keeps the first and the last half of its limit and counts the bytes between them.
///
/// It holds at most the limit and twice the margin, plus the usual growth of a vector. A push copies
/// at most as many bytes.
///
/// # Examples
/// ```
/// use zeph_common::HeadTailBuffer;
/// let mut log = HeadTailBuffer::new(4);
/// log.push(b"0123");
/// log.push(b"456789");
/// assert_eq!(log.dropped(), 6);
/// assert_eq!(log.render(), "01\n… 6 bytes cut …\n89".as_bytes());
/// ```
#[derive(Clone, Debug)]
pub struct HeadTailBuffer {
    /// How many bytes of each end are rendered.
    head_limit: usize,
    tail_limit: usize,
    /// How many more bytes are held on either side of the cut, for redaction.
    margin: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// How many bytes are in neither head nor tail.
    gone: u64,
}

impl HeadTailBuffer {
    /// An empty buffer that keeps at most `limit` bytes. With a limit of 0 it only counts.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self::with_margin(limit, 0)
    }

    /// An empty buffer that renders at most `limit` bytes and holds up to `margin` more on either side
    /// of the cut, for [`render_redacted`](Self::render_redacted). With a limit of 0 it only counts.
    #[must_use]
    pub const fn with_margin(limit: usize, margin: usize) -> Self {
        Self {
            head_limit: limit / 2,
            tail_limit: limit - limit / 2,
            margin: if limit == 0 { 0 } else { margin },
            head: Vec::new(),
            tail: VecDeque::new(),
            gone: 0,
        }
    }

    /// Appends bytes and drops from the middle what exceeds the limit.
    pub fn push(&mut self, bytes: &[u8]) {
        let to_head = bytes.len();
        let to_head = to_head.min(self.head_limit + self.margin - self.head.len());
        let (head, rest) = bytes.split_at(to_head);
        self.head.extend_from_slice(head);
        // Only the end of a long push is kept, so no more is copied.
        let most = self.tail_limit + self.margin;
        let fits = rest.len().min(most);
        let (lost, kept) = rest.split_at(rest.len() - fits);
        let overflow = (self.tail.len() + kept.len()).saturating_sub(most);
        self.tail.drain(..overflow);
        self.tail.extend(kept);
        self.gone += (lost.len() + overflow) as u64;
        debug_assert!(self.tail.len() <= most);
    }

    /// Bytes that were pushed and are not rendered.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let limit = self.head_limit + self.tail_limit;
        self.gone + self.held().saturating_sub(limit) as u64
    }

    /// Bytes that are rendered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held().min(self.head_limit + self.tail_limit)
    }

    /// Bytes in memory.
    fn held(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Whether nothing was ever pushed, or only empty slices.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held() == 0 && self.gone == 0
    }

    /// All bytes if none were dropped; otherwise head, a marker line and tail.
    ///
    /// A UTF-8 character that the cut splits is left out and counted as cut. Bytes that are not UTF-8
    /// stay as they are.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        self.render_redacted(&|bytes| Cow::Borrowed(bytes))
    }

    /// As [`render`](Self::render), with `redact` applied to the bytes that are held.
    ///
    /// `redact` replaces stretches such as secrets. No part of a stretch that the cut splits is
    /// rendered, if the stretch is no longer than the margin. Calls `redact` at most four times.
    ///
    /// # Examples
    /// ```
    /// use std::borrow::Cow;
    /// use zeph_common::HeadTailBuffer;
    /// let mut log = HeadTailBuffer::with_margin(16, 8);
    /// log.push(b"key: s3cret and a long rest of it");
    /// let redact = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("s3cret", "***").into_bytes();
    /// let shown = log.render_redacted(&|bytes| Cow::Owned(redact(bytes)));
    /// assert_eq!(shown, "key: \n… 20 bytes cut …\nst of it".as_bytes());
    /// ```
    #[must_use]
    pub fn render_redacted(&self, redact: &dyn for<'a> Fn(&'a [u8]) -> Cow<'a, [u8]>) -> Vec<u8> {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let whole = (self.gone == 0).then(|| [self.head.as_slice(), &tail].concat());
        if let Some(whole) = whole.as_ref().filter(|_| self.dropped() == 0) {
            return redact(whole).into_owned();
        }
        let (known_head, known_tail) = match &whole {
            Some(whole) => (whole.as_slice(), whole.as_slice()),
            None => (self.head.as_slice(), tail.as_slice()),
        };
        // The head redacted with the bytes after it and the head redacted alone differ from the point at
        // which a redacted stretch crosses the cut. The same holds for the tail.
        let mut head = redact(&known_head[..self.head_limit]).into_owned();
        let with_more = redact(known_head);
        let same = head.iter().zip(&*with_more).take_while(|(a, b)| a == b);
        let same = same.count();
        let mut lost = head.len() - same;
        head.truncate(same);
        let mut tail = redact(&known_tail[known_tail.len() - self.tail_limit..]).into_owned();
        let with_more = redact(known_tail);
        let (alone, more) = (tail.iter().rev(), with_more.iter().rev());
        let same = alone.zip(more).take_while(|(a, b)| a == b).count();
        lost += tail.len() - same;
        tail.drain(..tail.len() - same);

        let split = split_at_end(&head);
        head.truncate(head.len() - split);
        lost += split;
        let split = split_at_start(&tail);
        tail.drain(..split);
        lost += split;
        head.extend_from_slice(marker(self.dropped() + lost as u64).as_bytes());
        head.append(&mut tail);
        head
    }
}

/// How many bytes at the end begin a UTF-8 character without finishing it.
fn split_at_end(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(4)..];
    for (back, &byte) in tail.iter().rev().enumerate() {
        let width = match byte {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            0x80..=0xBF => continue,
            _ => return 0,
        };
        return if back + 1 < width { back + 1 } else { 0 };
    }
    0
}

/// How many bytes at the start continue a UTF-8 character that began before.
fn split_at_start(bytes: &[u8]) -> usize {
    let continued = |byte: &&u8| matches!(byte, 0x80..=0xBF);
    bytes.iter().take(3).take_while(continued).count()
}

#[cfg(test)]
mod tests {
    use super::{Cow, HeadTailBuffer};
    use crate::{Boundary, head_tail};
    use proptest::prelude::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        let mut log = HeadTailBuffer::new(6);
        log.push("aañxxxxxxxxñ…z".as_bytes());
        let text = String::from_utf8(log.render());
        assert_eq!(text.as_deref(), Ok("aa\n… 15 bytes cut …\nz"));
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_kept() {
        let mut log = HeadTailBuffer::new(4);
        log.push(&[0xFF, 0xFF, 1, 2, 3, 0xFF, 0xFF]);
        let shown = log.render();
        assert!(shown.starts_with(&[0xFF, 0xFF, b'\n']));
        assert!(shown.ends_with(&[b'\n', 0xFF, 0xFF]));
    }

    #[test]
    fn a_limit_of_zero_only_counts() {
        let mut log = HeadTailBuffer::new(0);
        log.push(b"abc");
        assert_eq!((log.len(), log.dropped()), (0, 3));
        assert!(!log.is_empty());
    }

    proptest! {
        #[test]
        fn pushes_of_any_size_keep_the_ends(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            limit in 0usize..50,
        ) {
            let all = chunks.concat();
            let mut log = HeadTailBuffer::new(limit);
            for chunk in &chunks {
                log.push(chunk);
                prop_assert!(log.len() <= limit);
            }
            prop_assert_eq!(log.len() as u64 + log.dropped(), all.len() as u64);
            if all.len() <= limit {
                prop_assert_eq!(log.render(), all);
            } else {
                prop_assert!(all.starts_with(&log.head));
                let tail: Vec<u8> = log.tail.iter().copied().collect();
                prop_assert!(all.ends_with(&tail));
                prop_assert_eq!(log.len(), limit);
            }
        }

        #[test]
        fn a_secret_at_the_cut_is_not_rendered_in_part(
            before in "[a-z]{0,90}", after in "[a-z]{0,90}", limit in 1usize..80,
            chunk in 1usize..20,
        ) {
            const SECRET: &str = "SE CR\nET";
            let text = format!("{before}{SECRET}{after}{SECRET}");
            let mut log = HeadTailBuffer::with_margin(limit, SECRET.len());
            text.as_bytes().chunks(chunk).for_each(|chunk| log.push(chunk));
            prop_assert!(log.held() <= limit + 2 * SECRET.len());
            let hush = |text: &[u8]| String::from_utf8_lossy(text).replace(SECRET, "***");
            let shown = log.render_redacted(&|text| Cow::Owned(hush(text).into_bytes()));
            let shown = String::from_utf8_lossy(&shown);
            prop_assert!(!shown.contains(|c: char| c.is_ascii_uppercase()), "{shown}");
            if text.len() <= limit {
                prop_assert_eq!(shown, text.replace(SECRET, "***"));
            } else {
                let whole = text.replace(SECRET, "***");
                let (head, rest) = shown.split_once("\n… ").expect("a marker");
                let (_, tail) = rest.split_once(" bytes cut …\n").expect("a marker");
                prop_assert!(whole.starts_with(head) && whole.ends_with(tail));
            }
        }

        #[test]
        fn the_buffer_renders_as_head_tail_does(text in "\\PC*", limit in 0usize..40) {
            let mut log = HeadTailBuffer::new(limit);
            log.push(text.as_bytes());
            let shown = String::from_utf8(log.render());
            prop_assert_eq!(shown.as_deref(), Ok(&*head_tail(&text, limit, Boundary::Char).to_string()));
        }
    }
}
