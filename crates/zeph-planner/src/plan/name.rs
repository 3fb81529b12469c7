//! The form of task names, and the repair of names that are nearly valid.

use std::borrow::Cow;

use super::matching::is_strange;

/// The most bytes of a name.
pub(super) const MAX: usize = 64;

/// Names that the run uses for planning and the answer, also with a number.
const RESERVED: [&str; 4] = ["plan", "confirm", "adopt", "answer"];

/// Whether a text is a valid name: `[A-Za-z_][A-Za-z0-9_-]{0,63}`, as in plan files.
pub(crate) fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    begins && text.len() <= MAX && text.chars().all(goes_on)
}

/// Whether a name has characters that are not repaired: those of markup, expressions and terminals,
/// invisible ones, and a path that leaves its folder. Of other characters none remains in a [`slug`].
pub(super) fn is_hostile(text: &str) -> bool {
    let hostile = |c: char| "\\<>{}$".contains(c);
    let text = text.trim();
    text.contains(hostile) || text.starts_with('/') || is_strange(text)
}

/// A valid name made from a text: each run of other characters becomes one `-`; `None` if no valid
/// character remains.
///
/// It depends on the text only, so a name and the dependencies on it are repaired to the same.
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

/// Whether the run uses the name, or may use it in a later round.
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
    fn nearly_valid_names_are_repaired() {
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
    fn names_that_the_run_uses_are_reserved() {
        for name in ["plan", "Answer", "confirm-2", "adopt-17"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["plan-a", "planning", "answer2x", "answer2", "x-2"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_slug_is_a_valid_name_and_its_own_slug(text in "\\PC{0,90}") {
            if let Some(slugged) = slug(&text) {
                prop_assert!(is_name(&slugged));
                let again = slug(&slugged);
                prop_assert_eq!(again.as_deref(), Some(&*slugged));
            }
        }
    }
}
