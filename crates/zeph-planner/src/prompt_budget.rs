//! The token budget of a prompt: sanitises untrusted sections and cuts each to its share.

mod fit;

use std::borrow::Cow;

use serde_json::Value;
use tokio::task::yield_now;
use zeph_common::{Boundary, HeadTail, head_tail};
use zeph_sanitizer::{Change, ChangeKind, Content, ContentSanitizer, Sanitized};

use crate::water_fill::water_fill_useful;

/// An untrusted text of a prompt.
#[derive(Clone, Debug)]
pub(crate) struct Section<'a> {
    /// Its source, such as the name of a task.
    pub(crate) source: Cow<'a, str>,
    /// The text.
    pub(crate) text: Cow<'a, str>,
    /// Whether it gets its share before sections without priority.
    pub(crate) priority: bool,
}

impl<'a> Section<'a> {
    pub(crate) fn new(source: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            source: source.into(),
            text: text.into(),
            priority: false,
        }
    }
}

/// A value of a task as text: a string as it is, anything else as JSON.
pub(crate) fn value_text(value: &Value) -> Cow<'_, str> {
    match value.as_str() {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(value.to_string()),
    }
}

/// A section as the prompt shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SectionText {
    /// The sanitized text, or a remark if there was no room for any of it.
    pub(crate) text: String,
    /// Whether a part of the section is missing.
    pub(crate) cut: bool,
    /// Whether there was no room for any of it.
    pub(crate) left_out: bool,
    /// The share of its bytes that is there, from 0 to 1.
    pub(crate) share: f64,
    /// The changes by the sanitizer.
    pub(crate) changes: Vec<Change>,
    /// The score of the sanitizer, from 0 to 1; advice only.
    pub(crate) score: f64,
}

/// The tokens of each message beside its text: role and separators.
pub(crate) const MESSAGE_TOKENS: u64 = 8;
/// The remark in place of a section that does not fit.
const LEFT_OUT: &str = "(left out: there was no room for it)";
/// The fewest tokens of a piece of a section, beside its delimiters.
const LEAST_SECTION: u64 = 16;
/// How often a section is cut, each time from its whole text, before it is left out.
const CUT_TRIES: usize = 3;
/// How often the size of a cut is estimated on the measured text.
const SIZE_TRIES: usize = 16;

/// The sanitizer, the counter and the limit for the sections of a prompt.
pub(crate) struct PromptBudget<'a> {
    pub(crate) sanitizer: &'a dyn ContentSanitizer,
    /// Counts the tokens of a text.
    pub(crate) count: &'a (dyn Fn(&str) -> u64 + Sync),
    /// The most tokens of one section.
    pub(crate) max_section: u64,
}

/// A sanitized section with its size.
pub(crate) struct Measured<'a> {
    section: Section<'a>,
    whole: Sanitized,
    tokens: u64,
    /// The tokens of its shortest piece.
    least: u64,
    /// The bytes of its delimiters.
    delimiters: usize,
}

/// A prompt within its budget.
pub(crate) struct Fitted {
    pub(crate) prompt: String,
    /// The sections as the prompt shows them, in their order.
    pub(crate) sections: Vec<SectionText>,
}

/// The error of a prompt that cannot be made.
#[derive(Debug)]
pub(crate) enum FitError<E> {
    /// The prompt exceeds the budget even without the sections; with its tokens.
    TooLong(u64),
    /// The prompt cannot be rendered.
    Render(E),
}

impl PromptBudget<'_> {
    /// Sanitizes sections once, for all shares that are tried. Linear in the texts; yields to other
    /// tasks between sections.
    pub(crate) async fn measure<'a>(&self, sections: Vec<Section<'a>>) -> Vec<Measured<'a>> {
        let mut measured = Vec::with_capacity(sections.len());
        for section in sections {
            let whole = self.sanitize(&section, usize::MAX);
            let delimiters = self.sanitize(&Section::new(&*section.source, ""), 0).text;
            measured.push(Measured {
                tokens: (self.count)(&whole.text),
                least: (self.count)(&delimiters) + LEAST_SECTION,
                delimiters: delimiters.len(),
                section,
                whole,
            });
            yield_now().await;
        }
        measured
    }

    /// Shares `budget` tokens among sections by water-filling, with the delimiters counted.
    ///
    /// Sections with priority come first; the others share the rest. Small sections stay whole; the
    /// sanitizer cuts the others to equal shares, inside their delimiters. If there is no room for a piece
    /// of each, the last ones are left out. The result has at most `budget` tokens, without the remarks for
    /// sections that were left out.
    pub(crate) async fn share(&self, sections: &[Measured<'_>], budget: u64) -> Vec<SectionText> {
        let mut texts = vec![SectionText::left_out(); sections.len()];
        let mut left = budget;
        for priority in [true, false] {
            let is_in = |one: &&Measured<'_>| one.section.priority == priority;
            let tier: Vec<&Measured<'_>> = sections.iter().filter(is_in).collect();
            let wants = tier.iter().map(|one| one.tokens.min(self.max_section));
            let wants: Vec<u64> = wants.collect();
            let least: Vec<u64> = tier.iter().map(|one| one.least).collect();
            let (shown, level) = water_fill_useful(&wants, &least, left);
            let level = level.min(self.max_section);
            let shown = sections
                .iter()
                .zip(&mut texts)
                .filter(|(one, _)| is_in(one))
                .take(shown);
            for (one, text) in shown {
                *text = if one.tokens <= level {
                    SectionText::new(one.whole.clone())
                } else {
                    self.cut(one, level)
                };
                if !text.left_out {
                    left = left.saturating_sub((self.count)(&text.text));
                }
                yield_now().await;
            }
        }
        texts
    }

    fn sanitize(&self, section: &Section<'_>, max_bytes: usize) -> Sanitized {
        self.sanitizer.sanitize(&Content {
            source: &section.source,
            text: &section.text,
            max_bytes,
        })
    }

    /// About as much of a section as has `share` tokens, never more.
    ///
    /// The section is sanitized from its whole text: a text that was cut before its secrets were found
    /// could keep half of one. Sanitizing is expensive, so the size is first estimated on the measured
    /// text.
    fn cut(&self, measured: &Measured<'_>, share: u64) -> SectionText {
        let Measured { section, whole, .. } = measured;
        let delimiters = measured.delimiters;
        let size = bytes_within(&whole.text, share, self.count);
        // A sanitizer counts the line of the cut, `head_tail` does not.
        let mark = HeadTail {
            head: "",
            tail: "",
            cut: whole.text.len(),
        };
        let size = size + mark.to_string().len();
        let mut max_bytes = size.saturating_sub(delimiters);
        let tries = if measured.least <= share {
            CUT_TRIES
        } else {
            0
        };
        for _ in 0..tries {
            let mut sanitized = self.sanitize(section, max_bytes);
            if sanitized.text.len() >= whole.text.len() {
                // This sanitizer does not cut.
                sanitized.text = head_tail(&whole.text, max_bytes, Boundary::Char).to_string();
            }
            let count = (self.count)(&sanitized.text);
            if count <= share {
                let (kept, all) = (sanitized.text.len(), whole.text.len());
                let body = |bytes: usize| bytes.saturating_sub(delimiters) as f64;
                return SectionText {
                    cut: true,
                    share: (body(kept) / body(all).max(1.0)).min(1.0),
                    ..SectionText::new(sanitized)
                };
            }
            if max_bytes == 0 {
                break;
            }
            // A little less than proportional, because counts do not grow evenly.
            max_bytes = scaled(max_bytes, share, count) / 100 * 99;
        }
        SectionText {
            changes: whole.changes.clone(),
            score: whole.score.value,
            ..SectionText::left_out()
        }
    }
}

/// The most bytes, nearly, of the beginning and the end of a text that have at most `share` tokens.
pub(crate) fn bytes_within(text: &str, share: u64, count: &dyn Fn(&str) -> u64) -> usize {
    let tokens = |bytes: usize| count(&head_tail(text, bytes, Boundary::Char).to_string());
    most_bytes(text.len(), share, count(text), tokens)
}

/// The most bytes, nearly, of the beginning of a text that have at most `share` tokens; a character
/// boundary.
pub(crate) fn prefix_within(text: &str, share: u64, count: &dyn Fn(&str) -> u64) -> usize {
    let tokens = |bytes: usize| count(&text[..text.floor_char_boundary(bytes)]);
    text.floor_char_boundary(most_bytes(text.len(), share, count(text), tokens))
}

/// The most bytes, nearly, that have at most `share` tokens, of `all` bytes with `whole` tokens.
fn most_bytes(all: usize, share: u64, whole: u64, tokens: impl Fn(usize) -> u64) -> usize {
    if whole <= share {
        return all;
    }
    let (mut fitting, mut too_long) = (0, all);
    let mut bytes = scaled(all, share, whole);
    for _ in 0..SIZE_TRIES {
        let found = tokens(bytes);
        if found <= share {
            fitting = bytes;
            if share - found <= share / 256 {
                break;
            }
        } else {
            too_long = bytes;
        }
        // In proportion, else in the middle of what is left.
        let next = scaled_up(bytes, share, found);
        bytes = match next > fitting && next < too_long {
            true => next,
            false => fitting.midpoint(too_long),
        };
        if bytes == fitting {
            break;
        }
    }
    fitting
}

impl SectionText {
    fn new(sanitized: Sanitized) -> Self {
        let is_cut =
            |change: &Change| matches!(change.kind, ChangeKind::Cut | ChangeKind::Withheld);
        Self {
            cut: sanitized.changes.iter().any(is_cut),
            left_out: false,
            share: 1.0,
            text: sanitized.text,
            changes: sanitized.changes,
            score: sanitized.score.value,
        }
    }

    /// The remark for a section that does not fit.
    fn left_out() -> Self {
        Self {
            text: LEFT_OUT.to_owned(),
            cut: true,
            left_out: true,
            share: 0.0,
            changes: Vec::new(),
            score: 0.0,
        }
    }
}

/// `size * part / whole`, rounded down, at most `size`.
fn scaled(size: usize, part: u64, whole: u64) -> usize {
    scaled_up(size, part, whole).min(size)
}

/// `size * part / whole`, rounded down.
fn scaled_up(size: usize, part: u64, whole: u64) -> usize {
    let scaled = size as u128 * u128::from(part) / u128::from(whole.max(1));
    usize::try_from(scaled).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use zeph_sanitizer::{
        Content, ContentSanitizer, Sanitized, Seed, StandardSanitizer, Unsanitized,
    };

    use super::{LEFT_OUT, PromptBudget, Section, SectionText};

    /// Four bytes a token.
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
        max_section: u64,
        budget: u64,
    ) -> Vec<SectionText> {
        let prompt = PromptBudget {
            sanitizer,
            count: &quarter,
            max_section,
        };
        let sections = texts.iter().map(|text| Section::new("a", text));
        block_on(async {
            prompt
                .share(&prompt.measure(sections.collect()).await, budget)
                .await
        })
    }

    fn standard() -> StandardSanitizer {
        StandardSanitizer::new(Seed::new([7; 32]))
    }

    #[test]
    fn small_sections_stay_whole_and_large_ones_are_cut_with_a_mark() {
        let texts = ["small".to_owned(), "begin ".repeat(4_000) + "end"];
        let shared = share(&standard(), &texts, u64::MAX, 300);
        assert!(!shared[0].cut && shared[0].text.contains("\nsmall\n"));
        let large = &shared[1].text;
        assert!(shared[1].cut && large.contains("bytes cut") && large.contains("end\n</untrusted"));
        assert!(large.starts_with("<untrusted source=\"a\""));
        let total: u64 = shared.iter().map(|one| quarter(&one.text)).sum();
        assert!((200..=300).contains(&total), "{total}");
    }

    #[test]
    fn text_is_cut_without_a_sanitizer_too() {
        let shared = share(&Unsanitized, &["x".repeat(9_000)], u64::MAX, 100);
        assert!(shared[0].cut && quarter(&shared[0].text) <= 100);
    }

    /// Counts the bytes that it sanitizes.
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
    fn a_cut_sanitizes_the_text_at_most_three_times() {
        // The tokens are not spread evenly: the expensive characters are at the end.
        let text = "a ".repeat(50_000) + &"\u{4e2d}".repeat(20_000);
        let uneven = |text: &str| text.chars().map(|c| if c == 'a' { 1 } else { 40 }).sum();
        let sanitizer = Counting(standard(), AtomicUsize::new(0));
        for (budget, passes) in [(10_000, 3), (100_000, 3), (10, 1)] {
            let prompt = PromptBudget {
                sanitizer: &sanitizer,
                count: &uneven,
                max_section: u64::MAX,
            };
            sanitizer.1.store(0, Ordering::Relaxed);
            let section = block_on(async {
                let sections = prompt.measure(vec![Section::new("a", &*text)]).await;
                prompt.share(&sections, budget).await.remove(0)
            });
            assert!(section.text == LEFT_OUT || uneven(&section.text) <= budget);
            assert_eq!(section.text == LEFT_OUT, budget == 10);
            let seen = sanitizer.1.load(Ordering::Relaxed);
            assert!(seen.div_ceil(text.len()) <= passes, "{budget}");
        }
    }

    #[test]
    fn a_section_without_room_is_replaced_by_a_remark() {
        let shared = share(&standard(), &["text".to_owned()], u64::MAX, 3);
        assert_eq!((shared[0].text.as_str(), shared[0].cut), (LEFT_OUT, true));
        assert!(shared[0].left_out);
    }

    proptest! {
        #[test]
        fn the_budget_is_kept_and_the_order_does_not_matter(
            texts in prop::collection::vec("(?s).{0,400}", 0..8),
            max_section in prop_oneof![Just(u64::MAX), 0u64..200],
            budget in 0u64..900,
        ) {
            let shared = share(&standard(), &texts, max_section, budget);
            let counts = shared.iter().filter(|one| one.text != LEFT_OUT);
            let counts: Vec<u64> = counts.map(|one| quarter(&one.text)).collect();
            prop_assert!(counts.iter().sum::<u64>() <= budget);
            prop_assert!(counts.iter().all(|&count| count <= max_section));
            let reversed: Vec<String> = texts.iter().rev().cloned().collect();
            let mut reversed = share(&standard(), &reversed, max_section, budget);
            reversed.reverse();
            // Of sections that have no room together the last ones are left out.
            let all_shown = |all: &[SectionText]| all.iter().all(|one| !one.left_out);
            if all_shown(&shared) && all_shown(&reversed) {
                prop_assert_eq!(shared, reversed);
            }
        }
    }

    #[test]
    fn a_prompt_fits_its_budget_and_priority_comes_first() {
        let sanitizer = standard();
        let prompt = PromptBudget {
            sanitizer: &sanitizer,
            count: &quarter,
            max_section: u64::MAX,
        };
        let texts = ["low ".repeat(500), "high ".repeat(300)];
        let sections = texts.iter().enumerate().map(|(index, text)| Section {
            priority: index == 1,
            ..Section::new("a", text)
        });
        let render = |texts: &[SectionText]| -> Result<String, ()> {
            let texts: Vec<&str> = texts.iter().map(|one| one.text.as_str()).collect();
            Ok(format!("Results:\n{}", texts.join("\n")))
        };
        block_on(async {
            let sections = prompt.measure(sections.collect()).await;
            let fitted = prompt.fit(&sections, 500, render).await.expect("it fits");
            assert!(quarter(&fitted.prompt) <= 500);
            let cut: Vec<bool> = fitted.sections.iter().map(|one| one.cut).collect();
            assert_eq!(cut, [true, false]);
            assert!(prompt.fit(&sections, 5, render).await.is_err());
        });
    }
}
