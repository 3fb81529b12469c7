//! Portions: texts of strangers, made fit for a prompt and cut to their shares of its room.

use std::borrow::Cow;

use serde_json::Value;
use zeph_common::head_tail;
use zeph_sanitizer::{Change, ChangeKind, Content, ContentSanitizer, Sanitized};

use crate::fill;

/// A text of a stranger that is to stand in a prompt.
#[derive(Clone, Debug)]
pub(crate) struct Piece<'a> {
    /// Who it comes from.
    pub(crate) source: &'a str,
    /// The text.
    pub(crate) text: Cow<'a, str>,
}

impl<'a> Piece<'a> {
    pub(crate) fn new(source: &'a str, text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        Self { source, text }
    }
}

/// A value of a task: a text as it is, anything else as JSON.
pub(crate) fn value_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Cow::Owned(value.to_string())
        }
    }
}

/// What of a piece may stand in the prompt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Portion {
    /// The sanitized text; a word of ours in its place if there is no room for any of it.
    pub(crate) text: String,
    /// Whether something of the piece is missing.
    pub(crate) cut: bool,
    /// What the sanitizer changed.
    pub(crate) changes: Vec<Change>,
    /// How much it looks like an injection, from 0 to 1: advice.
    pub(crate) score: f64,
}

/// The words for a piece that there is no room for.
const LEFT_OUT: &str = "(left out: there was no room for it)";

/// How often a cut is tried before a piece is left out.
const CUT_TRIES: usize = 16;

/// How a prompt's room is shared and measured.
pub(crate) struct Room<'a> {
    pub(crate) sanitizer: &'a dyn ContentSanitizer,
    /// How many tokens a text has.
    pub(crate) count: &'a (dyn Fn(&str) -> u64 + Sync),
    /// The most tokens of one piece.
    pub(crate) most: u64,
}

/// A piece as it is whole, and how much room it wants.
pub(crate) struct Measured<'a> {
    piece: Piece<'a>,
    whole: Sanitized,
    want: u64,
}

impl Room<'_> {
    /// Sanitizes a piece as a whole, once for all shares that are tried.
    pub(crate) fn measure<'a>(&self, piece: Piece<'a>) -> Measured<'a> {
        let whole = self.sanitize(&piece, usize::MAX);
        Measured {
            want: (self.count)(&whole.text),
            piece,
            whole,
        }
    }

    /// Shares `budget` tokens among pieces by [water-filling](fill::level), delimiters counted.
    ///
    /// Small pieces come whole; the others are cut to equal shares, by the sanitizer, inside their
    /// delimiters. All together have at most `budget` tokens, those that are left out not counted.
    pub(crate) fn share(&self, pieces: &[&Measured<'_>], budget: u64) -> Vec<Portion> {
        let wants = pieces.iter().map(|one| one.want.min(self.most));
        let level = fill::level(wants, budget).min(self.most);
        let shared = pieces.iter().map(|one| {
            if one.want <= level {
                portion(one.whole.clone())
            } else {
                self.cut(one, level)
            }
        });
        shared.collect()
    }

    fn sanitize(&self, piece: &Piece<'_>, max_bytes: usize) -> Sanitized {
        self.sanitizer.sanitize(&Content {
            source: piece.source,
            text: &piece.text,
            max_bytes,
        })
    }

    /// The most of a piece that has at most `share` tokens, near enough.
    ///
    /// It is sanitized from its whole text each time: cut before its secrets are found, it could
    /// keep the half of one.
    fn cut(&self, measured: &Measured<'_>, share: u64) -> Portion {
        let Measured { piece, whole, want } = measured;
        let mut max_bytes = scaled(whole.text.len(), share, *want);
        for _ in 0..CUT_TRIES {
            let mut sanitized = self.sanitize(piece, max_bytes);
            if sanitized.text.len() >= whole.text.len() {
                // This sanitizer does not cut, so what it gave back is cut here.
                sanitized.text = head_tail(&whole.text, max_bytes).into_owned();
            }
            let count = (self.count)(&sanitized.text);
            if count <= share {
                return Portion {
                    cut: true,
                    ..portion(sanitized)
                };
            }
            if max_bytes == 0 {
                break;
            }
            // A tenth less than what the count says, since counts do not grow evenly.
            max_bytes = scaled(max_bytes, share, count) / 10 * 9;
        }
        Portion {
            changes: whole.changes.clone(),
            score: whole.score.value,
            ..Portion::left_out()
        }
    }
}

impl Portion {
    /// What stands for a piece that there is no room for.
    pub(crate) fn left_out() -> Self {
        Self {
            text: LEFT_OUT.to_owned(),
            cut: true,
            changes: Vec::new(),
            score: 0.0,
        }
    }
}

fn portion(sanitized: Sanitized) -> Portion {
    let cut = |change: &Change| matches!(change.kind, ChangeKind::Cut | ChangeKind::Withheld);
    Portion {
        cut: sanitized.changes.iter().any(cut),
        text: sanitized.text,
        changes: sanitized.changes,
        score: sanitized.score.value,
    }
}

/// `size * part / whole`, rounded down.
fn scaled(size: usize, part: u64, whole: u64) -> usize {
    let scaled = size as u128 * u128::from(part) / u128::from(whole.max(1));
    usize::try_from(scaled).unwrap_or(size).min(size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeph_sanitizer::{ContentSanitizer, Seed, StandardSanitizer, Unsanitized};

    use super::{LEFT_OUT, Measured, Piece, Portion, Room};

    /// Four bytes a token, as the rule of thumb goes.
    fn quarter(text: &str) -> u64 {
        text.len().div_ceil(4) as u64
    }

    fn share(
        sanitizer: &dyn ContentSanitizer,
        texts: &[String],
        most: u64,
        budget: u64,
    ) -> Vec<Portion> {
        let room = Room {
            sanitizer,
            count: &quarter,
            most,
        };
        let pieces = texts.iter().map(|text| room.measure(Piece::new("a", text)));
        let pieces: Vec<Measured<'_>> = pieces.collect();
        room.share(&pieces.iter().collect::<Vec<_>>(), budget)
    }

    fn standard() -> StandardSanitizer {
        StandardSanitizer::new(Seed::new([7; 32]))
    }

    #[test]
    fn small_ones_come_whole_and_large_ones_say_that_they_are_cut() {
        let texts = ["small".to_owned(), "begin ".repeat(4_000) + "end"];
        let portions = share(&standard(), &texts, u64::MAX, 300);
        assert!(!portions[0].cut && portions[0].text.contains("\nsmall\n"));
        let large = &portions[1].text;
        assert!(
            portions[1].cut && large.contains("bytes cut") && large.contains("end\n</untrusted")
        );
        assert!(large.starts_with("<untrusted source=\"a\""));
        let total: u64 = portions.iter().map(|one| quarter(&one.text)).sum();
        assert!((200..=300).contains(&total), "{total}");
    }

    #[test]
    fn who_goes_without_a_sanitizer_is_cut_all_the_same() {
        let portions = share(&Unsanitized, &["x".repeat(9_000)], u64::MAX, 100);
        assert!(portions[0].cut && quarter(&portions[0].text) <= 100);
    }

    #[test]
    fn without_room_a_word_says_so() {
        let portions = share(&standard(), &["text".to_owned()], u64::MAX, 3);
        assert_eq!(
            (portions[0].text.as_str(), portions[0].cut),
            (LEFT_OUT, true)
        );
    }

    proptest! {
        #[test]
        fn all_together_keep_the_budget_and_the_order_does_not_matter(
            texts in prop::collection::vec("(?s).{0,400}", 0..8),
            most in prop_oneof![Just(u64::MAX), 0u64..200],
            budget in 0u64..900,
        ) {
            let portions = share(&standard(), &texts, most, budget);
            let counts = portions.iter().filter(|one| one.text != LEFT_OUT);
            let counts: Vec<u64> = counts.map(|one| quarter(&one.text)).collect();
            prop_assert!(counts.iter().sum::<u64>() <= budget);
            prop_assert!(counts.iter().all(|&count| count <= most));
            let turned: Vec<String> = texts.iter().rev().cloned().collect();
            let mut turned = share(&standard(), &turned, most, budget);
            turned.reverse();
            prop_assert_eq!(portions, turned);
        }
    }
}
