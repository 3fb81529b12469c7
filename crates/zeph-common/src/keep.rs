//! Keeping the head and the tail of what is too long, with a line that says how much is missing.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

use crate::truncate::{MAX_WORD_BYTES, truncate_words};

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

/// As [`head_tail`], without the words that the cut would split; see [`truncate_words`].
///
/// # Examples
/// ```
/// use zeph_common::head_tail_words;
/// assert_eq!(head_tail_words("one two three four", 12), "one \n… 9 bytes cut …\n four");
/// ```
#[must_use]
pub fn head_tail_words(text: &str, max_bytes: usize) -> Cow<'_, str> {
    let Ends { head, tail, cut } = ends(text, max_bytes);
    if cut == 0 {
        return Cow::Borrowed(text);
    }
    let head = truncate_words(text, head.len()).text;
    let tail = tail_words(text, tail.len());
    let cut = (text.len() - head.len() - tail.len()) as u64;
    Cow::Owned(Ends { head, tail, cut }.to_string())
}

/// The last `max_bytes` bytes of a text without the word that the cut would split; the counterpart of
/// [`truncate_words`].
///
/// # Examples
/// ```
/// use zeph_common::tail_words;
/// assert_eq!(tail_words("the key is s3cret", 8), " s3cret");
/// assert_eq!(tail_words("the key is s3cret", 4), "");
/// ```
#[must_use]
pub fn tail_words(text: &str, max_bytes: usize) -> &str {
    let from = text.ceil_char_boundary(text.len().saturating_sub(max_bytes));
    let (before, tail) = text.split_at(from);
    if before.is_empty() || before.ends_with(char::is_whitespace) {
        return tail;
    }
    let most = tail.floor_char_boundary(MAX_WORD_BYTES);
    let white = tail[..most].find(char::is_whitespace);
    &tail[white.unwrap_or(most)..]
}

/// A buffer that keeps the first and the last half of its limit and counts what it dropped.
///
/// Memory never exceeds the limit and twice the margin (plus the usual growth of a vector), whatever
/// is pushed. A push costs the bytes it copies, at most as many.
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
    /// The bytes that are shown of each end.
    head_limit: usize,
    tail_limit: usize,
    /// The bytes beside the cut that are known and not shown.
    margin: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// The bytes that are in neither.
    gone: u64,
}

impl HeadTail {
    /// An empty buffer that keeps at most `limit` bytes. With a limit of 0 it only counts.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self::with_margin(limit, 0)
    }

    /// An empty buffer that shows at most `limit` bytes and knows up to `margin` more on either side
    /// of the cut, for [`render_clean`](Self::render_clean). With a limit of 0 it only counts.
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

    /// Appends bytes; what no longer fits goes from the middle.
    pub fn push(&mut self, bytes: &[u8]) {
        let to_head = bytes.len();
        let to_head = to_head.min(self.head_limit + self.margin - self.head.len());
        let (head, rest) = bytes.split_at(to_head);
        self.head.extend_from_slice(head);
        // Only the end of a long push can survive, so no more than that is ever copied.
        let most = self.tail_limit + self.margin;
        let fits = rest.len().min(most);
        let (lost, kept) = rest.split_at(rest.len() - fits);
        let overflow = (self.tail.len() + kept.len()).saturating_sub(most);
        self.tail.drain(..overflow);
        self.tail.extend(kept);
        self.gone += (lost.len() + overflow) as u64;
        debug_assert!(self.tail.len() <= most);
    }

    /// Bytes that were pushed and are not shown.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let limit = self.head_limit + self.tail_limit;
        self.gone + self.held().saturating_sub(limit) as u64
    }

    /// Bytes that are shown.
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

    /// Everything when nothing was dropped; otherwise head, a marker line, tail.
    ///
    /// A UTF-8 character that the cut would split is left out and counted as cut. Bytes that are not
    /// UTF-8 are kept as they are.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        self.render_clean(&|bytes| Cow::Borrowed(bytes))
    }

    /// The same after `clean`, which may replace stretches of it, such as secrets.
    ///
    /// What `clean` would replace as a whole and the cut has split is not shown in part, if it is no
    /// longer than the margin. Costs four times what `clean` costs for the bytes in memory, at most.
    ///
    /// # Examples
    /// ```
    /// use std::borrow::Cow;
    /// use zeph_common::HeadTail;
    /// let mut log = HeadTail::with_margin(16, 8);
    /// log.push(b"key: s3cret and a long rest of it");
    /// let hush = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("s3cret", "***").into_bytes();
    /// let shown = log.render_clean(&|bytes| Cow::Owned(hush(bytes)));
    /// assert_eq!(shown, "key: \n… 20 bytes cut …\nst of it".as_bytes());
    /// ```
    #[must_use]
    pub fn render_clean(&self, clean: &dyn for<'a> Fn(&'a [u8]) -> Cow<'a, [u8]>) -> Vec<u8> {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let whole = (self.gone == 0).then(|| [self.head.as_slice(), &tail].concat());
        if let Some(whole) = whole.as_ref().filter(|_| self.dropped() == 0) {
            return clean(whole).into_owned();
        }
        let (known_head, known_tail) = match &whole {
            Some(whole) => (whole.as_slice(), whole.as_slice()),
            None => (self.head.as_slice(), tail.as_slice()),
        };
        // With and without what follows it a text differs from where something of it reaches over
        // the cut.
        let mut head = clean(&known_head[..self.head_limit]).into_owned();
        let with_more = clean(known_head);
        let same = head.iter().zip(&*with_more).take_while(|(a, b)| a == b);
        let same = same.count();
        let mut lost = head.len() - same;
        head.truncate(same);
        let mut tail = clean(&known_tail[known_tail.len() - self.tail_limit..]).into_owned();
        let with_more = clean(known_tail);
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
    use super::{Cow, HeadTail, head_tail, head_tail_words};
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
        fn nothing_beside_a_cut_is_shown_in_part(
            before in "[a-z]{0,90}", after in "[a-z]{0,90}", limit in 1usize..80,
            chunk in 1usize..20,
        ) {
            const SECRET: &str = "SE CR\nET";
            let text = format!("{before}{SECRET}{after}{SECRET}");
            let mut log = HeadTail::with_margin(limit, SECRET.len());
            text.as_bytes().chunks(chunk).for_each(|chunk| log.push(chunk));
            prop_assert!(log.held() <= limit + 2 * SECRET.len());
            let hush = |text: &[u8]| String::from_utf8_lossy(text).replace(SECRET, "***");
            let shown = log.render_clean(&|text| Cow::Owned(hush(text).into_bytes()));
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
        fn no_word_is_shown_in_part(text in "[a-zé \n]{0,90}", limit in 0usize..80) {
            let whole: Vec<&str> = text.split_whitespace().collect();
            let shown = head_tail_words(&text, limit);
            let ends = shown.split_once("\n… ").and_then(|(head, rest)| {
                Some((head, rest.split_once(" bytes cut …\n")?.1))
            });
            let Some((head, tail)) = ends else {
                prop_assert_eq!(&*shown, &*text);
                return Ok(());
            };
            prop_assert!(head.len() + tail.len() <= limit);
            let (head, tail): (Vec<_>, Vec<_>) =
                (head.split_whitespace().collect(), tail.split_whitespace().collect());
            prop_assert!(whole.starts_with(&head) && whole.ends_with(&tail), "{shown}");
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
