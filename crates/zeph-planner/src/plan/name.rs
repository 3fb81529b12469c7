//! Names of tasks: their form, and how one that is nearly right is written in it.

use std::borrow::Cow;

/// The most bytes of a name.
const MAX: usize = 64;

/// Names that the run around a plan uses itself, also with a number behind them.
const RESERVED: [&str; 4] = ["plan", "confirm", "adopt", "answer"];

/// Whether a text has the form of a name: `[A-Za-z_][A-Za-z0-9_-]{0,63}`, as in plan files.
pub(crate) fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    begins && text.len() <= MAX && text.chars().all(goes_on)
}

/// Whether a name has characters that no repair should paper over: of paths, markup, expressions
/// and terminals, and those that hide.
pub(super) fn is_hostile(text: &str) -> bool {
    let hostile = |c: char| "/\\<>`[]{}$|*\"".contains(c);
    text.contains(hostile) || *zeph_common::escape_terminal(text.trim()) != *text.trim()
}

/// A text in the form of a name: the same if it has it, else what is no letter, digit, `_` or `-`
/// becomes one `-`; `None` if nothing is left of it.
///
/// A function of the text alone, so that a name and the needs that mean it become the same.
pub(super) fn slug(text: &str) -> Option<Cow<'_, str>> {
    if is_name(text) {
        return Some(Cow::Borrowed(text));
    }
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= MAX {
            break;
        }
    }
    let mut slug = slug.trim_matches('-').to_owned();
    if slug.starts_with(|c: char| c.is_ascii_digit()) {
        slug.insert_str(0, "task-");
        slug.truncate(MAX);
    }
    is_name(&slug).then_some(Cow::Owned(slug))
}

/// Whether the run around a plan uses the name, or may.
pub(super) fn is_reserved(name: &str) -> bool {
    let folded = name.to_ascii_lowercase();
    let stem = folded.trim_end_matches(|c: char| c.is_ascii_digit());
    let stem = if stem.len() < folded.len() {
        stem.strip_suffix('-').unwrap_or(&folded)
    } else {
        stem
    };
    RESERVED.contains(&stem)
}

#[cfg(test)]
mod tests {
    use super::{is_hostile, is_name, is_reserved, slug};
    use proptest::prelude::*;

    #[test]
    fn nearly_right_names_are_written_right() {
        let table = [
            ("read-log", "read-log"),
            ("Read the log!", "Read-the-log"),
            ("1. fetch", "task-1-fetch"),
            ("7", "task-7"),
            ("--x", "x"),
            ("naïve", "na-ve"),
        ];
        for (given, wanted) in table {
            assert_eq!(slug(given).as_deref(), Some(wanted), "{given}");
        }
        assert_eq!(slug("调查"), None);
        assert!(is_hostile("../x") && is_hostile("a\x1b[1m") && is_hostile("<b>"));
        assert!(!is_hostile(" Read the log! "));
    }

    #[test]
    fn what_the_run_uses_is_reserved() {
        for name in ["plan", "Answer", "confirm-2", "adopt-17"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["plan-a", "planning", "answer2x", "answer2", "x-2"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_slug_is_a_name_and_stays_itself(text in "\\PC{0,90}") {
            if let Some(slugged) = slug(&text) {
                prop_assert!(is_name(&slugged));
                let again = slug(&slugged);
                prop_assert_eq!(again.as_deref(), Some(&*slugged));
            }
        }
    }
}
