//! The port: text of a stranger goes in, text for a prompt comes out.

use serde::{Deserialize, Serialize};

use crate::score::Score;

/// Makes text of strangers fit to stand in a prompt.
///
/// Object-safe, so that a host may pass its own as `Arc<dyn ContentSanitizer>`.
/// [`StandardSanitizer`](crate::StandardSanitizer) is the one in the box; to go without, one must
/// write [`Unsanitized`](crate::Unsanitized).
///
/// An implementation must be deterministic: a replay of a run asks again and must get the same text.
pub trait ContentSanitizer: Send + Sync {
    /// The text as it may enter a prompt, what was changed on the way, and an advisory score.
    ///
    /// Never fails and never panics, whatever the text.
    fn sanitize(&self, content: &Content<'_>) -> Sanitized;

    /// What a system prompt must say so that a model knows what the delimiters mean.
    ///
    /// Empty for a sanitizer that adds none.
    fn preamble(&self) -> &str;
}

/// A text of a stranger, on its way into a prompt.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Who it comes from: a task's name, `goal`, a tool. Untrusted, too.
    pub source: &'a str,
    /// The text itself, at any length.
    pub text: &'a str,
    /// The most bytes that the finished content may have, delimiters not counted.
    pub max_bytes: usize,
}

/// What may enter a prompt, and how it came about. Serialises, so that a journal can keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sanitized {
    /// The content: redacted, cleaned, cut and wrapped.
    pub text: String,
    /// What was changed, each kind once, in the order of [`ChangeKind`]. Empty if nothing was.
    pub changes: Vec<Change>,
    /// How much the content looks like an injection. Advice only: nothing was blocked by it.
    pub score: Score,
}

/// One kind of change, and how often it was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// What was done.
    pub kind: ChangeKind,
    /// How often; for [`ChangeKind::Cut`] and [`ChangeKind::Withheld`] the number of bytes.
    pub count: u64,
}

/// What a sanitizer changes in a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// A registered secret became a marker with its name, which is given here.
    Secret(String),
    /// A terminal's escape sequence was removed.
    Escape,
    /// A control character was removed, or became a line feed if it breaks lines.
    Control,
    /// A control of the direction of text was removed.
    Bidi,
    /// A character that shows nothing was removed.
    Invisible,
    /// A Markdown image, or an image in a diagram, was made plain text.
    Image,
    /// An HTML tag that loads or runs something by itself was made plain text.
    Tag,
    /// An address that carries code or data, or a CSS `url(`, was broken up.
    Address,
    /// A control token of a chat template was broken up.
    Token,
    /// Something that looks like a delimiter of ours was broken up.
    Delimiter,
    /// Bytes were cut from the middle.
    Cut,
    /// The whole content was withheld, since it could not be cleaned in a bounded number of passes.
    Withheld,
}
