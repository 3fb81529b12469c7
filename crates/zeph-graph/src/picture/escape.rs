//! Escaping of untrusted names for each output format.

use std::fmt::Write;

/// For a terminal: characters that move the cursor, hide or reorder text are written as `\u{..}`.
pub(super) fn terminal(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if is_invisible(c) {
            text.extend(c.escape_unicode());
        } else {
            text.push(c);
        }
    }
    text
}

/// For a quoted Mermaid label: all but letters, digits and a few marks as numbered entities.
pub(super) fn mermaid(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_alphanumeric() || " _-.,:+=!?'".contains(c) {
            text.push(c);
        } else if is_invisible(c) {
            text.push('\u{fffd}');
        } else {
            // The entity syntax of Mermaid; writing to a String cannot fail.
            let _ = write!(text, "#{};", u32::from(c));
        }
    }
    text
}

/// For a quoted DOT label.
pub(super) fn dot(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' => text.push_str("\\\""),
            // Doubled, so that `\N` or `\n` of a name is not replaced.
            '\\' => text.push_str("\\\\"),
            // Graphviz decodes HTML entities in labels.
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            c if is_invisible(c) => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text
}

/// Control characters, and characters that are invisible or reorder text. Joiners and selectors of scripts
/// and emoji are allowed.
pub(crate) fn is_invisible(c: char) -> bool {
    let is_part_of_another = matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
    let is_separator = matches!(c, '\u{2028}' | '\u{2029}');
    c.is_control() || is_separator || (zeph_common::is_invisible(c) && !is_part_of_another)
}
