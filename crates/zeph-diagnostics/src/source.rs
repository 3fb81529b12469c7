//! Sources and spans: the text that a problem is about, and the part of it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A part of a source, in bytes; the end is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}

/// A named text. Clones share it.
///
/// The name is usually the path of a file. A source without text names where a value came from that has
/// no lines, such as `flag --max-parallel`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Source {
    name: Arc<str>,
    text: Option<Arc<str>>,
}

impl Source {
    /// A source with its text.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: Some(text.into()),
        }
    }

    /// A source that has no text.
    #[must_use]
    pub fn without_text(name: &str) -> Self {
        Self {
            name: name.into(),
            text: None,
        }
    }

    /// Its name, as it was given: not safe to print.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text, empty if it has none.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The line and the column of a byte, both from 1; columns count characters. `None` without a text.
    ///
    /// An offset past the end is the end. Linear in the text.
    ///
    /// # Examples
    /// ```
    /// use zeph_diagnostics::Source;
    /// let source = Source::new("a.toml", "ä = 1\nb = 2\n");
    /// assert_eq!(source.line_column(3), Some((1, 3)));
    /// assert_eq!(source.line_column(7), Some((2, 1)));
    /// ```
    #[must_use]
    pub fn line_column(&self, offset: usize) -> Option<(usize, usize)> {
        let text = self.text.as_deref()?;
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        Some((line, before[line_start..].chars().count() + 1))
    }

    /// The span moved to the bounds of characters inside the text.
    pub(crate) fn bounded(&self, span: Span) -> Span {
        let text = self.text();
        let start = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end.min(text.len()));
        (start..end.max(start)).into()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.name, self.text().len())
    }
}
