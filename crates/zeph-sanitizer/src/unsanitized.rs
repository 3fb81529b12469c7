//! The explicit choice of no sanitizer.

use crate::content::{Content, ContentSanitizer, Sanitized};
use crate::score::Score;

/// Passes every text through unchanged and without a score.
///
/// Instructions in the output of a task then have the same weight as the prompt. For tests, and for texts
/// of the host itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unsanitized;

impl ContentSanitizer for Unsanitized {
    fn sanitize(&self, content: &Content<'_>) -> Sanitized {
        Sanitized {
            text: content.text.to_owned(),
            changes: Vec::new(),
            score: Score::none(),
        }
    }

    fn preamble(&self) -> &'static str {
        ""
    }
}
