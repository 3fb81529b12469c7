//! Cutting a text at its end, and saying how much went.

use std::fmt;

/// The kept beginning of a text, and how many bytes were cut from its end.
///
/// Displayed, a cut text ends in `… (N bytes cut)`; an uncut one is itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated<'a> {
    /// What was kept.
    pub text: &'a str,
    /// Bytes cut from the end; 0 when nothing was.
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

/// The first `max_bytes` bytes of a text, or up to three fewer so that no character is split.
///
/// # Examples
/// ```
/// use zeph_common::truncate;
/// let short = truncate("naïve", 3);
/// assert_eq!((short.text, short.cut), ("na", 4));
/// assert_eq!(short.to_string(), "na… (4 bytes cut)");
/// assert!(!truncate("fits", 4).is_cut());
/// ```
#[must_use]
pub fn truncate(text: &str, max_bytes: usize) -> Truncated<'_> {
    let kept = &text[..text.floor_char_boundary(max_bytes)];
    Truncated {
        text: kept,
        cut: text.len() - kept.len(),
    }
}

/// The most bytes that [`truncate_words`] gives up for the sake of a word.
pub const MAX_WORD_BYTES: usize = 4 << 10;

/// The first `max_bytes` bytes of a text without the word that the cut would split.
///
/// For text that is cut before its secrets are known: half of one would not be found afterwards. A
/// word goes up to white space, but no more than [`MAX_WORD_BYTES`] of it do.
///
/// # Examples
/// ```
/// use zeph_common::truncate_words;
/// assert_eq!(truncate_words("the key is s3cret", 14).to_string(), "the key is … (6 bytes cut)");
/// assert!(!truncate_words("fits", 4).is_cut());
/// ```
#[must_use]
pub fn truncate_words(text: &str, max_bytes: usize) -> Truncated<'_> {
    let short = truncate(text, max_bytes);
    let whole_word = text[short.text.len()..].starts_with(char::is_whitespace);
    if !short.is_cut() || whole_word {
        return short;
    }
    let least = short.text.len().saturating_sub(MAX_WORD_BYTES);
    let least = short.text.ceil_char_boundary(least);
    let white = short.text[least..].rfind(char::is_whitespace);
    // White space itself stays.
    let after = |at: usize| short.text.ceil_char_boundary(least + at + 1);
    truncate(text, white.map_or(least, after))
}

#[cfg(test)]
mod tests {
    use super::{truncate, truncate_words};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_is_a_prefix_and_the_count_is_exact(text in ".*", max in 0usize..64) {
            let short = truncate(&text, max);
            prop_assert!(short.text.len() <= max);
            prop_assert!(text.starts_with(short.text));
            prop_assert_eq!(short.text.len() + short.cut, text.len());
            prop_assert!(!short.is_cut() || short.text.len() + 4 > max);
        }

        #[test]
        fn no_word_is_split(text in "[a-zé \n]{0,80}", max in 0usize..64) {
            let short = truncate_words(&text, max);
            prop_assert!(short.text.len() <= max);
            prop_assert!(text.starts_with(short.text));
            let rest = &text[short.text.len()..];
            let split = |text: &str, last: bool| {
                let c = if last { text.chars().next_back() } else { text.chars().next() };
                c.is_some_and(|c| !c.is_whitespace())
            };
            prop_assert!(!(split(short.text, true) && split(rest, false)));
        }
    }
}
