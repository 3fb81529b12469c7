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

#[cfg(test)]
mod tests {
    use super::truncate;
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
    }
}
