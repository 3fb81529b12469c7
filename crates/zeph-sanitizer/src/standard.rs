//! The standard sanitizer: redacts, cleans, truncates and delimits.

use zeph_common::{Boundary, HeadTail, escape_terminal, head_tail, plain_text};

use crate::change_counts::ChangeCounts;
use crate::content::{Change, ChangeKind, Content, ContentSanitizer, Sanitized};
use crate::delimit::{PREAMBLE, delimit};
use crate::neutralize::neutralize;
use crate::redact::Redactor;
use crate::score::score;
use crate::seed::Seed;

/// The most passes over one text.
const MAX_PASSES: usize = 8;

/// The most attempts to cut a text so that it fits after cleaning.
const MAX_CUTS: usize = 4;

/// The replacement for a text that the last pass still changes.
const WITHHELD: &str = "(withheld: this text could not be cleaned)";

/// Redacts, cleans, truncates and delimits; the [crate](crate) lists what it guarantees.
#[derive(Clone, Debug)]
pub struct StandardSanitizer {
    seed: Seed,
    redactor: Redactor,
    max_bytes: usize,
}

/// A clean text without delimiters, and the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// The clean text.
    pub text: String,
    /// The changes, each kind once, in the order of [`ChangeKind`].
    pub changes: Vec<Change>,
}

impl StandardSanitizer {
    /// A sanitizer without secrets and without a limit of its own.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            redactor: Redactor::default(),
            max_bytes: usize::MAX,
        }
    }

    /// Redacts the secrets of this redactor. Default: none.
    #[must_use]
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Limits every content to that many bytes, even if its own limit is higher. Default: no limit.
    ///
    /// With 0 only the delimiters of a content remain.
    #[must_use]
    pub const fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Redacts and cleans a text of any length, without a cut and without delimiters.
    ///
    /// Cleaning a clean text changes nothing. Linear in the text.
    ///
    /// # Examples
    /// ```
    /// use zeph_sanitizer::{Seed, StandardSanitizer};
    /// let sanitizer = StandardSanitizer::new(Seed::new([7; 32]));
    /// let cleaned = sanitizer.clean("\x1b[31mred\x1b[0m <img src=//x>");
    /// assert_eq!(cleaned.text, "red ‹img src=//x>");
    /// assert_eq!(cleaned.changes.len(), 2);
    /// ```
    #[must_use]
    pub fn clean(&self, text: &str) -> Cleaned {
        let mut counts = ChangeCounts::default();
        let text = self.clean_counted(text, &mut counts);
        Cleaned {
            text,
            changes: counts.changes(),
        }
    }

    /// Repeats the pass until it changes nothing.
    ///
    /// The last pass over the result changed nothing, and the guarantees follow from that. Two passes are
    /// usual; a text that needs more than [`MAX_PASSES`] is withheld.
    fn clean_counted(&self, text: &str, counts: &mut ChangeCounts) -> String {
        let mut text = text.to_owned();
        for _ in 0..MAX_PASSES {
            match self.pass(&text, counts) {
                Some(next) => text = next,
                None => return text,
            }
        }
        counts.add(ChangeKind::Withheld, text.len() as u64);
        String::from(WITHHELD)
    }

    /// The text after one pass of all steps; `None` if nothing changes.
    ///
    /// Secrets are redacted before and after characters are removed: an escape sequence may contain the
    /// start of a secret, and hidden characters may separate its parts.
    fn pass(&self, text: &str, counts: &mut ChangeCounts) -> Option<String> {
        let before = self.redactor.redact_counted(text, counts);
        let plain = plain_text(&before);
        counts.add_removed(plain.removed);
        let after = self.redactor.redact_counted(&plain.text, counts);
        if let Some((neutral, kinds)) = neutralize(&after) {
            for kind in kinds {
                counts.add(kind, 1);
            }
            return Some(neutral);
        }
        (after != text).then(|| after.into_owned())
    }

    /// The name of a source on one line, redacted before and after characters are removed.
    fn source(&self, source: &str) -> String {
        let before = self.redactor.redact(source);
        let line = escape_terminal(&before);
        self.redactor.redact(&line).into_owned()
    }

    /// Truncates a clean text to a limit; the result is clean.
    ///
    /// A cut can leave a zero-width joiner without the next character, or bring the two ends of a paragraph
    /// together, so the result is cleaned again. Cleaning can make it longer; then more is cut.
    fn cut(&self, text: String, max_bytes: usize, counts: &mut ChangeCounts) -> String {
        if text.len() <= max_bytes {
            return text;
        }
        let mut budget = max_bytes.saturating_sub(cut_marker_bytes(text.len()));
        for _ in 0..MAX_CUTS {
            let ends = head_tail(&text, budget, Boundary::Char);
            let mut changes = ChangeCounts::default();
            let short = self.clean_counted(&ends.to_string(), &mut changes);
            if short.len() <= max_bytes {
                counts.add(ChangeKind::Cut, ends.cut as u64);
                counts.extend(changes);
                return short;
            }
            budget = budget.saturating_sub((short.len() - max_bytes) * 2);
        }
        counts.add(ChangeKind::Cut, text.len() as u64);
        let nothing = head_tail(&text, 0, Boundary::Char).to_string();
        [nothing.as_str(), "…"]
            .into_iter()
            .find(|marker| marker.len() <= max_bytes)
            .unwrap_or_default()
            .to_owned()
    }
}

/// The most bytes of the line that marks a cut in a text of this length.
fn cut_marker_bytes(len: usize) -> usize {
    let longest = HeadTail {
        head: "",
        tail: "",
        cut: len,
    };
    longest.to_string().len()
}

impl ContentSanitizer for StandardSanitizer {
    fn sanitize(&self, content: &Content<'_>) -> Sanitized {
        let mut counts = ChangeCounts::default();
        let clean = self.clean_counted(content.text, &mut counts);
        let score = score(&clean);
        let body = self.cut(clean, content.max_bytes.min(self.max_bytes), &mut counts);
        Sanitized {
            text: delimit(&self.seed, &self.source(content.source), &body),
            changes: counts.changes(),
            score,
        }
    }

    fn clean_text(&self, text: &str) -> String {
        let mut counts = ChangeCounts::default();
        let clean = self.clean_counted(text, &mut counts);
        self.cut(clean, self.max_bytes, &mut counts)
    }

    fn preamble(&self) -> &'static str {
        PREAMBLE
    }
}

#[cfg(test)]
mod tests {
    use super::StandardSanitizer;
    use crate::ContentSanitizer as _;
    use crate::change_counts::ChangeCounts;
    use crate::redact::Redactor;
    use crate::seed::Seed;

    fn sanitizer() -> StandardSanitizer {
        let secrets = Redactor::new([("key", "sk-live-4f9a8b7c6d")]);
        let secrets = secrets.unwrap_or_else(|error| panic!("{error}"));
        StandardSanitizer::new(Seed::new([7; 32])).redactor(secrets)
    }

    #[test]
    fn a_clean_text_has_no_delimiters_and_no_secret_and_is_clean() {
        let clean = sanitizer().clean_text("a sk-live-4f9a8b7c6d <img src=//x> b");
        assert!(
            !clean.contains("sk-live") && !clean.contains("<untrusted"),
            "{clean}"
        );
        assert_eq!(sanitizer().clean_text(&clean), clean);
        assert_eq!(
            sanitizer()
                .max_bytes(40)
                .clean_text(&"word ".repeat(99))
                .len(),
            40
        );
    }

    /// How many passes change a text.
    fn passes(text: &str) -> usize {
        let mut text = text.to_owned();
        let mut count = 0;
        while let Some(next) = sanitizer().pass(&text, &mut ChangeCounts::default()) {
            text = next;
            count += 1;
            assert!(count < 20, "{text:?}");
        }
        count
    }

    #[test]
    fn the_number_of_passes_does_not_grow_with_the_text() {
        let nested = [
            "<a t='",
            "![",
            "![INST",
            "<a x=\"<b y='![",
            "<scr\u{200B}ipt><",
            "[[INST",
        ];
        for unit in nested {
            let counts =
                [1, 10, 100, 1_000].map(|times| passes(&(unit.repeat(times) + " src=](x)")));
            assert!(
                counts.iter().all(|count| *count <= 3),
                "{unit:?}: {counts:?}"
            );
        }
    }

    #[test]
    fn an_escape_sequence_cannot_swallow_the_beginning_of_a_secret() {
        for intro in ["\x1b[", "\u{9b}", "\x1b[1;3", "\x1b", "\x1b(", "\x1b]\x1b["] {
            let cleaned = sanitizer().clean(&format!("{intro}sk-live-4f9a8b7c6d end"));
            assert!(
                !cleaned.text.contains("live"),
                "{intro:?}: {}",
                cleaned.text
            );
            assert!(
                cleaned.text.ends_with(" end"),
                "{intro:?}: {}",
                cleaned.text
            );
        }
    }

    #[test]
    fn a_secret_that_looks_like_markup_is_found_before_markup_is_broken_up() {
        let secrets = Redactor::new([("key", "pw<script>99")]);
        let secrets = secrets.unwrap_or_else(|error| panic!("{error}"));
        let sanitizer = StandardSanitizer::new(Seed::new([7; 32])).redactor(secrets);
        for text in [
            "pw<script>99",
            "pw<scr\x1b[0mipt>99",
            "pw<scr\u{200B}ipt>99",
        ] {
            assert_eq!(sanitizer.clean(text).text, "‹redacted: key›", "{text:?}");
        }
    }

    #[test]
    fn a_secret_in_a_source_is_redacted() {
        use crate::content::{Content, ContentSanitizer};
        for hidden in ["", "\u{200B}", "\x1b[0m", "\u{9b}31m", "\x1b]0;t\x07"] {
            let content = Content {
                source: &format!("curl -H sk-live-{hidden}4f9a8b7c6d"),
                text: "",
                max_bytes: 10,
            };
            let given = sanitizer().sanitize(&content).text;
            assert!(
                given.contains("source=\"curl -H ‹redacted: key›\""),
                "{hidden:?}: {given}"
            );
        }
    }
}
