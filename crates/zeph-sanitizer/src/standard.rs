//! The sanitizer in the box: redact, clean, cut, wrap.

use zeph_common::{Boundary, HeadTail, escape_terminal, head_tail, plain_text};

use crate::clean::neutralise;
use crate::content::{Change, ChangeKind, Content, ContentSanitizer, Sanitized};
use crate::redact::Redactor;
use crate::score::score;
use crate::seed::Seed;
use crate::tally::Tally;
use crate::wrap::{preamble, wrap};

/// Passes over one text, at most.
const MAX_PASSES: usize = 8;

/// Attempts to find a cut that fits, at most.
const MAX_CUTS: usize = 4;

/// What stands for a text that does not come to rest.
const WITHHELD: &str = "(withheld: this text could not be cleaned)";

/// Redacts, cleans, cuts and wraps; keeps the promises that the crate lists.
#[derive(Clone, Debug)]
pub struct StandardSanitizer {
    seed: Seed,
    redactor: Redactor,
    max_bytes: usize,
}

/// A text without delimiters around it, and what was changed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// The clean text.
    pub text: String,
    /// What was changed, each kind once, in the order of [`ChangeKind`]. Empty if nothing was.
    pub changes: Vec<Change>,
}

impl StandardSanitizer {
    /// A sanitizer without secrets, limited by each content's own limit only.
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

    /// The most bytes that any content may have, whatever it asks for. Default: no such limit.
    ///
    /// With 0 nothing of a content is left but its delimiters.
    #[must_use]
    pub const fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Redacts and cleans a text of any length, without a cut and without delimiters.
    ///
    /// Cleaning what is clean changes nothing. Linear in the text.
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
        let mut tally = Tally::default();
        let text = self.settle(text, &mut tally);
        Cleaned {
            text,
            changes: tally.changes(),
        }
    }

    /// Passes over a text until one of them finds nothing to do.
    ///
    /// So what comes out has stood a whole pass without a change, which is all that the promises
    /// need. Two passes are the rule; whoever finds a text that needs more than the limit finds it
    /// withheld.
    fn settle(&self, text: &str, tally: &mut Tally) -> String {
        let mut text = text.to_owned();
        for _ in 0..MAX_PASSES {
            match self.pass(&text, tally) {
                Some(next) => text = next,
                None => return text,
            }
        }
        tally.add(ChangeKind::Withheld, text.len() as u64);
        String::from(WITHHELD)
    }

    /// The text after one round of all steps; `None` if it stays as it is.
    ///
    /// Secrets are looked for before and after characters go: an escape sequence may swallow the
    /// beginning of one, and what hides may stand between its parts.
    fn pass(&self, text: &str, tally: &mut Tally) -> Option<String> {
        let before = self.redactor.redact_counted(text, tally);
        let plain = plain_text(&before);
        tally.removed(plain.removed);
        let after = self.redactor.redact_counted(&plain.text, tally);
        if let Some((neutral, kinds)) = neutralise(&after) {
            for kind in kinds {
                tally.add(kind, 1);
            }
            return Some(neutral);
        }
        (after != text).then(|| after.into_owned())
    }

    /// A source's name on one line, without secrets: before characters go, and after, as in a text.
    fn source(&self, source: &str) -> String {
        let before = self.redactor.redact(source);
        let line = escape_terminal(&before);
        self.redactor.redact(&line).into_owned()
    }

    /// Cuts a clean text to a limit; what is left is clean, too.
    ///
    /// A cut can leave a joiner without its neighbour or bring two halves of a paragraph together,
    /// so the rest is cleaned again, which may make it longer, so that more has to go.
    fn cut(&self, text: String, max_bytes: usize, tally: &mut Tally) -> String {
        if text.len() <= max_bytes {
            return text;
        }
        let mut budget = max_bytes.saturating_sub(cut_marker_bytes(text.len()));
        for _ in 0..MAX_CUTS {
            let ends = head_tail(&text, budget, Boundary::Char);
            let mut changes = Tally::default();
            let short = self.settle(&ends.to_string(), &mut changes);
            if short.len() <= max_bytes {
                tally.add(ChangeKind::Cut, ends.cut as u64);
                tally.extend(changes);
                return short;
            }
            budget = budget.saturating_sub((short.len() - max_bytes) * 2);
        }
        tally.add(ChangeKind::Cut, text.len() as u64);
        let nothing = head_tail(&text, 0, Boundary::Char).to_string();
        [nothing.as_str(), "…"]
            .into_iter()
            .find(|marker| marker.len() <= max_bytes)
            .unwrap_or_default()
            .to_owned()
    }
}

/// The length of the line that says how much was cut from a text of this length, at most.
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
        let mut tally = Tally::default();
        let clean = self.settle(content.text, &mut tally);
        let score = score(&clean);
        let body = self.cut(clean, content.max_bytes.min(self.max_bytes), &mut tally);
        Sanitized {
            text: wrap(&self.seed, &self.source(content.source), &body),
            changes: tally.changes(),
            score,
        }
    }

    fn preamble(&self) -> &'static str {
        preamble()
    }
}

#[cfg(test)]
mod tests {
    use super::StandardSanitizer;
    use crate::redact::Redactor;
    use crate::seed::Seed;
    use crate::tally::Tally;

    fn sanitizer() -> StandardSanitizer {
        let secrets = Redactor::new([("key", "sk-live-4f9a8b7c6d")]);
        let secrets = secrets.unwrap_or_else(|error| panic!("{error}"));
        StandardSanitizer::new(Seed::new([7; 32])).redactor(secrets)
    }

    /// How many passes change a text before one finds nothing to do.
    fn passes(text: &str) -> usize {
        let mut text = text.to_owned();
        let mut count = 0;
        while let Some(next) = sanitizer().pass(&text, &mut Tally::default()) {
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
