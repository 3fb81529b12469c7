//! The marks of other notations: quotes, colons, words and comments.

/// A colon, and what other notations have in its place.
pub(super) const COLONS: [char; 3] = [':', '=', '：'];
/// The quotes around a text of several lines in Python.
pub(super) const TRIPLE: &str = "\"\"\"";

/// The quotes that close a string with that opening quote.
pub(super) fn closing_quotes(open: char) -> Option<&'static str> {
    Some(match open {
        '"' => "\"",
        '\'' => "'",
        '`' => "`",
        '“' => "”“",
        '”' => "”",
        '„' => "“”",
        '‘' => "’‘",
        '’' => "’",
        '＂' => "＂",
        '«' => "»",
        _ => return None,
    })
}

pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

pub(super) fn length_of(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

/// The length of the comment at the start of a text; `None` if there is none, or if it may hide a part of
/// the JSON.
pub(super) fn comment(text: &str) -> Option<usize> {
    let (body, len) = if let Some(body) = text.strip_prefix("/*") {
        let end = body.find("*/")?;
        (&body[..end], end + 4)
    } else {
        let body = text.strip_prefix("//").or_else(|| text.strip_prefix('#'))?;
        let end = length_of(body, |c| c != '\n');
        (&body[..end], text.len() - body.len() + end)
    };
    let quotes = body.matches('"').count();
    let hides = quotes % 2 == 1
        || body.contains(['{', '}', '[', ']'])
        || body.contains("\":")
        || body.trim_start().starts_with(['"', '\'']);
    (!hides).then_some(len)
}
