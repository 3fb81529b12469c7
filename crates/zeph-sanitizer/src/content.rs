//! The sanitizer port: makes untrusted text safe for a prompt.

use serde::{Deserialize, Serialize};

use crate::score::Score;

/// Makes untrusted text safe for a prompt.
///
/// Object-safe, so that a host may pass its own as `Arc<dyn ContentSanitizer>`.
/// [`StandardSanitizer`](crate::StandardSanitizer) is the default; [`Unsanitized`](crate::Unsanitized) is
/// the explicit choice to go without.
///
/// An implementation must be deterministic: a replay of a run must get the same text again.
pub trait ContentSanitizer: Send + Sync {
    /// The text for a prompt, the changes, and an advisory score. Never panics.
    fn sanitize(&self, content: &Content<'_>) -> Sanitized;

    /// A text redacted and cleaned as by [`sanitize`](Self::sanitize), without delimiters.
    ///
    /// A text that is too long for one prompt is divided after that: a part of the text as it was could have
    /// half of a secret. Each part is then sanitized, which changes nothing in it but adds the delimiters. By
    /// default the delimiters of the whole text are in it.
    fn clean_text(&self, text: &str) -> String {
        let content = Content {
            source: "",
            text,
            max_bytes: usize::MAX,
        };
        self.sanitize(&content).text
    }

    /// The text for a system prompt that explains the delimiters.
    ///
    /// Empty for a sanitizer that adds none.
    fn preamble(&self) -> &str;
}

/// An untrusted text for a prompt.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Its source: the name of a task, `goal`, a tool. Untrusted as well.
    pub source: &'a str,
    /// The text, of any length.
    pub text: &'a str,
    /// The most bytes of the result, without delimiters.
    pub max_bytes: usize,
}

/// A text for a prompt, and the changes. Serialisable, for the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sanitized {
    /// The content: redacted, cleaned, truncated and delimited.
    pub text: String,
    /// The changes, each kind once, in the order of [`ChangeKind`].
    pub changes: Vec<Change>,
    /// The resemblance to an injection. Advisory: nothing is blocked.
    pub score: Score,
}

/// One kind of change, and how often it was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// The kind.
    pub kind: ChangeKind,
    /// The number of changes; for [`ChangeKind::Cut`] and [`ChangeKind::Withheld`] the number of bytes.
    pub count: u64,
}

/// A kind of change that a sanitizer makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A registered secret was replaced by a marker with this name.
    Secret(String),
    /// A terminal's escape sequence was removed.
    Escape,
    /// A control character was removed, or became a line feed if it breaks lines.
    Control,
    /// A bidirectional control was removed.
    Bidi,
    /// An invisible character was removed.
    Invisible,
    /// A Markdown image, or an image in a diagram, was neutralised.
    Image,
    /// An HTML tag that loads or runs something by itself was neutralised.
    Tag,
    /// An address that carries code or data, or a CSS `url(`, was broken up.
    Address,
    /// A control token of a chat template was broken up.
    Token,
    /// Text that looks like a delimiter of this crate was broken up.
    Delimiter,
    /// Bytes were cut from the middle.
    Cut,
    /// The whole content was withheld, because cleaning exceeded the limit of passes.
    Withheld,
}
