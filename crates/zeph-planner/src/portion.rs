//! Portions: texts of strangers, made fit for a prompt and cut to their shares of its room.

use std::borrow::Cow;

use serde_json::Value;
use tokio::task::yield_now;
use zeph_common::{Boundary, head_tail};
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

/// How often a piece is cut, each time from its whole text, before it is left out.
const CUT_TRIES: usize = 3;
/// How often a size is looked for on the measured text before a piece is cut.
const SIZE_TRIES: usize = 16;

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
    /// Sanitizes pieces as a whole, once for all shares that are tried. Linear in the texts; others get
    /// their turn between pieces.
    pub(crate) async fn measure<'a>(&self, pieces: Vec<Piece<'a>>) -> Vec<Measured<'a>> {
        let mut measured = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let whole = self.sanitize(&piece, usize::MAX);
            measured.push(Measured {
                want: (self.count)(&whole.text),
                piece,
                whole,
            });
            yield_now().await;
        }
        measured
    }

    /// Shares `budget` tokens among pieces by [water-filling](fill::level), delimiters counted.
    ///
    /// Small pieces come whole; the others are cut to equal shares, by the sanitizer, inside their
    /// delimiters. All together have at most `budget` tokens, those that are left out not counted.
    /// Others get their turn between pieces.
    pub(crate) async fn share(&self, pieces: &[&Measured<'_>], budget: u64) -> Vec<Portion> {
        let wants = pieces.iter().map(|one| one.want.min(self.most));
        let level = fill::level(wants, budget).min(self.most);
        let mut shared = Vec::with_capacity(pieces.len());
        for one in pieces {
            if one.want <= level {
                shared.push(portion(one.whole.clone()));
            } else {
                shared.push(self.cut(one, level));
                yield_now().await;
            }
        }
        shared
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
    /// It is sanitized from its whole text: cut before its secrets are found, it could keep the half of
    /// one. That is dear, so how long it may be is looked for on the measured text, which is cheap.
    fn cut(&self, measured: &Measured<'_>, share: u64) -> Portion {
        let Measured { piece, whole, .. } = measured;
        let nothing = Piece::new(piece.source, "");
        let delimiters = self.sanitize(&nothing, 0).text;
        let size = self.size(measured, share);
        let mut max_bytes = size.saturating_sub(delimiters.len());
        let tries = if (self.count)(&delimiters) < share {
            CUT_TRIES
        } else {
            0
        };
        for _ in 0..tries {
            let mut sanitized = self.sanitize(piece, max_bytes);
            if sanitized.text.len() >= whole.text.len() {
                // This sanitizer does not cut, so what it gave back is cut here.
                sanitized.text = head_tail(&whole.text, max_bytes, Boundary::Char).to_string();
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

    /// How many bytes of the measured text, its middle cut out, have at most `share` tokens.
    fn size(&self, measured: &Measured<'_>, share: u64) -> usize {
        let Measured { whole, want, .. } = measured;
        let mut size = scaled(whole.text.len(), share, *want);
        for _ in 0..SIZE_TRIES {
            let count = (self.count)(&head_tail(&whole.text, size, Boundary::Char).to_string());
            if count <= share {
                break;
            }
            // A little less than what the count says, since counts do not grow evenly.
            size = scaled(size, share, count) / 20 * 19;
        }
        size
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use zeph_sanitizer::{
        Content, ContentSanitizer, Sanitized, Seed, StandardSanitizer, Unsanitized,
    };

    use super::{LEFT_OUT, Measured, Piece, Portion, Room};

    /// Four bytes a token, as the rule of thumb goes.
    fn quarter(text: &str) -> u64 {
        text.len().div_ceil(4) as u64
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(work)
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
        let pieces = texts.iter().map(|text| Piece::new("a", text)).collect();
        let shared = async {
            let pieces = room.measure(pieces).await;
            room.share(&pieces.iter().collect::<Vec<&Measured<'_>>>(), budget)
                .await
        };
        block_on(shared)
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

    /// Counts how many bytes it was asked to sanitize.
    struct Counting(StandardSanitizer, AtomicUsize);

    impl ContentSanitizer for Counting {
        fn sanitize(&self, content: &Content<'_>) -> Sanitized {
            self.1.fetch_add(content.text.len(), Ordering::Relaxed);
            self.0.sanitize(content)
        }

        fn preamble(&self) -> &str {
            self.0.preamble()
        }
    }

    #[test]
    fn a_text_is_sanitized_once_whole_and_a_few_times_to_be_cut() {
        // Uneven: what is dear to count stands at the end, where no proportion foresees it.
        let text = "a ".repeat(50_000) + &"\u{4e2d}".repeat(20_000);
        let dear = |text: &str| text.chars().map(|c| if c == 'a' { 1 } else { 40 }).sum();
        let sanitizer = Counting(standard(), AtomicUsize::new(0));
        for (budget, passes) in [(10_000, 2), (100_000, 2), (10, 1)] {
            let room = Room {
                sanitizer: &sanitizer,
                count: &dear,
                most: u64::MAX,
            };
            sanitizer.1.store(0, Ordering::Relaxed);
            let portion = block_on(async {
                let pieces = room.measure(vec![Piece::new("a", &*text)]).await;
                room.share(&[&pieces[0]], budget).await.remove(0)
            });
            assert!(portion.text == LEFT_OUT || dear(&portion.text) <= budget);
            assert_eq!(portion.text == LEFT_OUT, budget == 10);
            let seen = sanitizer.1.load(Ordering::Relaxed);
            assert_eq!(seen.div_ceil(text.len()), passes, "{budget}");
        }
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
