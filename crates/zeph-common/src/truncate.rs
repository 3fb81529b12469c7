//! Truncation of text: the head, or head and tail, with the number of bytes that were cut.

use std::fmt;

/// Where a text may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// Between two characters.
    Char,
    /// At white space, for text that is redacted after the cut: half of a secret would not be found.
    ///
    /// At most [`MAX_WORD_BYTES`] more are cut to avoid splitting a word; a longer word is split.
    Word,
}

/// The most bytes that [`Boundary::Word`] removes beyond the limit at one cut.
pub const MAX_WORD_BYTES: usize = 4 << 10;

/// The head of a text, and how many bytes were cut after it.
///
/// Displayed, a cut text ends in `… (N bytes cut)`; an uncut one is itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated<'a> {
    /// The head.
    pub text: &'a str,
    /// Bytes cut from the end; 0 if the text is whole.
    pub cut: usize,
}

impl Truncated<'_> {
    /// Whether anything was cut.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut > 0
    }
}

impl fmt::Display for Truncated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)?;
        if self.is_cut() {
            write!(f, "… ({} bytes cut)", self.cut)?;
        }
        Ok(())
    }
}

/// At most the first `max_bytes` bytes of a text, cut at a boundary. The mark is not counted.
///
/// # Examples
/// ```
/// use zeph_common::{Boundary, truncate};
/// let short = truncate("naïve", 3, Boundary::Char);
/// assert_eq!((short.text, short.cut), ("na", 4));
/// assert_eq!(short.to_string(), "na… (4 bytes cut)");
/// assert!(!truncate("fits", 4, Boundary::Char).is_cut());
/// let words = truncate("the key is s3cret", 14, Boundary::Word);
/// assert_eq!(words.to_string(), "the key is … (6 bytes cut)");
/// ```
#[must_use]
pub fn truncate(text: &str, max_bytes: usize, boundary: Boundary) -> Truncated<'_> {
    let text_len = text.len();
    let text = &text[..head_len(text, max_bytes, boundary)];
    let cut = text_len - text.len();
    Truncated { text, cut }
}

/// Head and tail of a text, and how many bytes between them were cut.
///
/// Displayed, a cut text has the line `… N bytes cut …` in the middle; an uncut one is itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadTail<'a> {
    /// The head; the whole text if nothing was cut.
    pub head: &'a str,
    /// The tail; empty if nothing was cut.
    pub tail: &'a str,
    /// Bytes cut from the middle; 0 if the text is whole.
    pub cut: usize,
}

impl fmt::Display for HeadTail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.head)?;
        if self.cut > 0 {
            f.write_str(&marker(self.cut as u64))?;
        }
        f.write_str(self.tail)
    }
}

/// At most `max_bytes` bytes of a text, half of them from each end. The marker line is not counted.
///
/// # Examples
/// ```
/// use zeph_common::{Boundary, head_tail};
/// let digits = |max_bytes| head_tail("0123456789", max_bytes, Boundary::Char).to_string();
/// assert_eq!(digits(4), "01\n… 6 bytes cut …\n89");
/// assert_eq!(digits(10), "0123456789");
/// let words = head_tail("one two three four", 12, Boundary::Word);
/// assert_eq!(words.to_string(), "one \n… 9 bytes cut …\n four");
/// ```
#[must_use]
pub fn head_tail(text: &str, max_bytes: usize, boundary: Boundary) -> HeadTail<'_> {
    if text.len() <= max_bytes {
        let (head, tail, cut) = (text, "", 0);
        return HeadTail { head, tail, cut };
    }
    let head = &text[..head_len(text, max_bytes / 2, boundary)];
    let tail_bytes = max_bytes - max_bytes / 2;
    let tail = &text[tail_start(text, tail_bytes, boundary)..];
    let cut = text.len() - head.len() - tail.len();
    HeadTail { head, tail, cut }
}

/// The line between head and tail.
pub(crate) fn marker(cut: u64) -> String {
    format!("\n… {cut} bytes cut …\n")
}

/// The length of the longest head that fits. White space in front of a cut stays.
fn head_len(text: &str, max_bytes: usize, boundary: Boundary) -> usize {
    let (head, rest) = text.split_at(text.floor_char_boundary(max_bytes));
    if boundary == Boundary::Char || rest.is_empty() || rest.starts_with(char::is_whitespace) {
        return head.len();
    }
    let least = head.ceil_char_boundary(head.len().saturating_sub(MAX_WORD_BYTES));
    let white = head[least..].rfind(char::is_whitespace);
    white.map_or(least, |at| head.ceil_char_boundary(least + at + 1))
}

/// Where the longest tail that fits starts. White space behind a cut stays.
fn tail_start(text: &str, max_bytes: usize, boundary: Boundary) -> usize {
    let from = text.ceil_char_boundary(text.len().saturating_sub(max_bytes));
    let (before, tail) = text.split_at(from);
    if boundary == Boundary::Char || before.is_empty() || before.ends_with(char::is_whitespace) {
        return from;
    }
    let most = tail.floor_char_boundary(MAX_WORD_BYTES);
    from + tail[..most].find(char::is_whitespace).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::{Boundary, head_tail, truncate};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_truncated_text_is_a_prefix_and_the_count_is_exact(text in ".*", max in 0usize..64) {
            let short = truncate(&text, max, Boundary::Char);
            prop_assert!(short.text.len() <= max);
            prop_assert!(text.starts_with(short.text));
            prop_assert_eq!(short.text.len() + short.cut, text.len());
            prop_assert!(!short.is_cut() || short.text.len() + 4 > max);
        }

        #[test]
        fn truncation_at_words_splits_no_word(text in "[a-zé \n]{0,80}", max in 0usize..64) {
            let short = truncate(&text, max, Boundary::Word);
            prop_assert!(short.text.len() <= max);
            prop_assert!(text.starts_with(short.text));
            let rest = &text[short.text.len()..];
            let before = short.text.chars().next_back().is_some_and(|c| !c.is_whitespace());
            let after = rest.chars().next().is_some_and(|c| !c.is_whitespace());
            prop_assert!(!(before && after));
        }

        #[test]
        fn head_and_tail_split_no_word(text in "[a-zé \n]{0,90}", limit in 0usize..80) {
            let ends = head_tail(&text, limit, Boundary::Word);
            prop_assert_eq!(ends.head.len() + ends.tail.len() + ends.cut, text.len());
            if ends.cut == 0 {
                prop_assert_eq!(ends.to_string(), text);
                return Ok(());
            }
            prop_assert!(ends.head.len() + ends.tail.len() <= limit);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let whole = words(&text);
            prop_assert!(whole.starts_with(&words(ends.head)));
            prop_assert!(whole.ends_with(&words(ends.tail)));
        }
    }
}
