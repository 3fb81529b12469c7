//! No sanitizer at all, for those who write so.

use crate::content::{Content, ContentSanitizer, Sanitized};
use crate::score::Score;

/// Passes every text through as it is: not cut, not cleaned, not redacted, not wrapped, not scored.
///
/// Whatever stands in a task's output then speaks to the model with the voice of the prompt. For
/// tests, and for contents that the host wrote itself.
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
