//! Keeping the head and the tail of what is too long, with a line that says how much is missing.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

/// A text of at most `max_bytes` bytes of head and tail, with a marker line between them.
///
/// A text that fits is returned as it is. Otherwise half of the limit goes to each end, no character
/// is split, and the marker `… N bytes cut …` stands on a line of its own, beyond the limit.
///
/// # Examples
/// ```
/// use zeph_common::head_tail;
/// assert_eq!(head_tail("0123456789", 4), "01\n… 6 bytes cut …\n89");
/// assert_eq!(head_tail("0123", 4), "0123");
/// ```
#[must_use]
pub fn head_tail(text: &str, max_bytes: usize) -> Cow<'_, str> {
    let ends = ends(text, max_bytes);
    if ends.cut == 0 {
        return Cow::Borrowed(text);
    }
    Cow::Owned(ends.to_string())
}

/// The two ends of a text that were kept, and how many bytes between them were cut.
///
/// Displayed, a cut text has the marker line of [`head_tail`]; an uncut one is itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends<'a> {
    /// The kept beginning; the whole text when nothing was cut.
    pub head: &'a str,
    /// The kept end.
    pub tail: &'a str,
    /// Bytes cut from the middle; 0 when nothing was.
    pub cut: u64,
}

impl fmt::Display for Ends<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.head)?;
        if self.cut > 0 {
            f.write_str(&marker(self.cut))?;
        }
        f.write_str(self.tail)
    }
}

/// At most `max_bytes` bytes of head and tail, apart: the parts that [`head_tail`] puts together.
///
/// # Examples
/// ```
/// use zeph_common::ends;
/// let ends = ends("0123456789", 4);
/// assert_eq!((ends.head, ends.tail, ends.cut), ("01", "89", 6));
/// ```
#[must_use]
pub fn ends(text: &str, max_bytes: usize) -> Ends<'_> {
    if text.len() <= max_bytes {
        return Ends {
            head: text,
            tail: "",
            cut: 0,
        };
    }
    let head = &text[..text.floor_char_boundary(max_bytes / 2)];
    let tail_bytes = max_bytes - max_bytes / 2;
    let tail = &text[text.ceil_char_boundary(text.len() - tail_bytes)..];
    let cut = (text.len() - head.len() - tail.len()) as u64;
    Ends { head, tail, cut }
}

/// A buffer that keeps the first and the last half of its limit and counts what it dropped.
///
/// Memory never exceeds the limit (plus the usual growth of a vector), whatever is pushed. A push
/// costs the bytes it copies, at most the limit.
///
/// # Examples
/// ```
/// use zeph_common::HeadTail;
/// let mut log = HeadTail::new(4);
/// log.push(b"0123");
/// log.push(b"456789");
/// assert_eq!(log.dropped(), 6);
/// assert_eq!(log.render(), "01\n… 6 bytes cut …\n89".as_bytes());
/// ```
#[derive(Clone, Debug)]
pub struct HeadTail {
    head_limit: usize,
    tail_limit: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl HeadTail {
    /// An empty buffer that keeps at most `limit` bytes. With a limit of 0 it only counts.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            head_limit: limit / 2,
            tail_limit: limit - limit / 2,
            head: Vec::new(),
            tail: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Appends bytes; what no longer fits goes from the middle.
    pub fn push(&mut self, bytes: &[u8]) {
        let to_head = bytes.len().min(self.head_limit - self.head.len());
        let (head, rest) = bytes.split_at(to_head);
        self.head.extend_from_slice(head);
        // Only the end of a long push can survive, so no more than that is ever copied.
        let fits = rest.len().min(self.tail_limit);
        let (lost, kept) = rest.split_at(rest.len() - fits);
        let overflow = (self.tail.len() + kept.len()).saturating_sub(self.tail_limit);
        self.tail.drain(..overflow);
        self.tail.extend(kept);
        self.dropped += (lost.len() + overflow) as u64;
        debug_assert!(self.tail.len() <= self.tail_limit);
    }

    /// Bytes that were pushed and are no longer kept.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Bytes kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Whether nothing was ever pushed, or only empty slices.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.dropped == 0
    }

    /// Everything when nothing was dropped; otherwise head, a marker line, tail.
    ///
    /// A UTF-8 character that the cut would split is left out and counted as cut. Bytes that are not
    /// UTF-8 are kept as they are.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut tail: Vec<u8> = self.tail.iter().copied().collect();
        if self.dropped == 0 {
            return [self.head.as_slice(), &tail].concat();
        }
        let head = &self.head[..self.head.len() - split_at_end(&self.head)];
        tail.drain(..split_at_start(&tail));
        let lost = self.len() - head.len() - tail.len();
        let middle = marker(self.dropped + lost as u64);
        [head, middle.as_bytes(), &tail].concat()
    }
}

/// The line between head and tail.
fn marker(cut: u64) -> String {
    format!("\n… {cut} bytes cut …\n")
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
    use super::{HeadTail, head_tail};
    use proptest::prelude::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        let mut log = HeadTail::new(6);
        log.push("aañxxxxxxxxñ…z".as_bytes());
        let text = String::from_utf8(log.render());
        assert_eq!(text.as_deref(), Ok("aa\n… 15 bytes cut …\nz"));
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let mut log = HeadTail::new(4);
        log.push(&[0xFF, 0xFF, 1, 2, 3, 0xFF, 0xFF]);
        let shown = log.render();
        assert!(shown.starts_with(&[0xFF, 0xFF, b'\n']));
        assert!(shown.ends_with(&[b'\n', 0xFF, 0xFF]));
    }

    #[test]
    fn a_limit_of_zero_only_counts() {
        let mut log = HeadTail::new(0);
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
            let mut log = HeadTail::new(limit);
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
        fn text_and_buffer_agree_on_what_is_cut(text in "\\PC*", limit in 0usize..40) {
            let mut log = HeadTail::new(limit);
            log.push(text.as_bytes());
            let shown = String::from_utf8(log.render());
            prop_assert_eq!(shown.as_deref(), Ok(&*head_tail(&text, limit)));
        }
    }
}
