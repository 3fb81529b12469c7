//! Images in Markdown and in diagrams.

use std::collections::HashSet;

use crate::content::ChangeKind;
use crate::neutralize::Edit;
use crate::normalized;

/// The longest label of a reference, in bytes.
const MAX_LABEL: usize = 999;

pub(crate) fn scan(text: &str, edits: &mut Vec<Edit>) {
    if text.contains("![") {
        markdown(text, edits);
    }
    shapes(text.as_bytes(), edits);
    nodes(text, edits);
}

/// One pass. All openings are dropped at the next blank line, where their paragraph ends.
///
/// `![` opens an image if its bracket closes before a parenthesis, or before or with the label of a
/// defined reference. Renderers differ in nesting, escapes and code. So an opening opens an image if any
/// `](` follows, except behind a bracket that closes it inside of others. After a word, as in `vec![`, only in the same line, and only before an address.
fn markdown(text: &str, edits: &mut Vec<Edit>) {
    let bytes = text.as_bytes();
    let labels = definitions(text);
    let mut open = Vec::new();
    let mut loose = Vec::new();
    let mut after_word = Vec::new();
    let mut images = Vec::new();
    let (mut last_special, mut line, mut line_is_blank) = (0, 0, false);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'[' => {
                let image = at.checked_sub(1).filter(|before| bytes[*before] == b'!');
                open.push(image);
                if let Some(start) = image {
                    let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'#');
                    let before = start.checked_sub(1).map(|before| bytes[before]);
                    if before.as_ref().is_some_and(word) {
                        after_word.push(start);
                    } else {
                        loose.push(start);
                    }
                }
            }
            b']' => {
                let closed = open.pop().flatten();
                let next = next_token(&bytes[at + 1..]);
                if let Some(start) = closed {
                    let special = start < last_special;
                    let named = after_word.last() == Some(&start);
                    let labels_match = || {
                        let alt = &text[start + 2..at];
                        (special && (start >= line || !named))
                            || is_defined(&labels, alt, &text[at + 1..])
                    };
                    let inline = next == Some(b'(') && (!named || is_place(&bytes[at + 1..]));
                    if inline || (!labels.is_empty() && labels_match()) {
                        images.push(start);
                    } else if !special && !open.is_empty() {
                        let list = if named { &mut after_word } else { &mut loose };
                        if list.last() == Some(&start) {
                            list.pop();
                        }
                    }
                }
                let named = || is_defined(&labels, "[", &text[at + 1..]);
                if !labels.is_empty() && named() {
                    images.append(&mut loose);
                    images.extend(after_word.drain(..).filter(|start| *start >= line));
                }
                if next == Some(b'(') {
                    images.append(&mut loose);
                    after_word.retain(|start| *start >= line);
                    if is_place(&bytes[at + 1..]) {
                        images.append(&mut after_word);
                    }
                }
            }
            b'\\' | b'`' | b'<' => last_special = at,
            b'\n' if line_is_blank => {
                line = at;
                open.clear();
                loose.clear();
                after_word.clear();
            }
            b'\n' => line = at,
            _ => {}
        }
        line_is_blank = byte == b'\n' || (line_is_blank && byte.is_ascii_whitespace());
    }
    images.sort_unstable();
    images.dedup();
    let image = |start| Edit::new(start..start + 2, "(image) [", ChangeKind::Image);
    edits.extend(images.into_iter().map(image));
}

/// The next byte that is no blank, in this line or the next.
fn next_token(rest: &[u8]) -> Option<u8> {
    let mut breaks = 0;
    for &byte in rest.iter().take(MAX_LABEL) {
        breaks += usize::from(byte == b'\n');
        if breaks > 1 {
            return None;
        }
        if !byte.is_ascii_whitespace() {
            return Some(byte);
        }
    }
    None
}

/// Whether the parenthesis that follows holds more than a name: an address or a path.
fn is_place(rest: &[u8]) -> bool {
    let end = rest.iter().take(MAX_LABEL).position(|b| *b == b')');
    let long = (rest.len() > MAX_LABEL).then_some(MAX_LABEL);
    let Some(end) = end.or(long) else {
        return false;
    };
    let inside = &rest[..end];
    let single = |(at, b): (usize, &u8)| {
        let colon = *b == b':' && inside.get(at + 1) != Some(&b':') && inside[at - 1] != b':';
        matches!(b, b'/' | b'&' | b'\\' | b'%') || colon
    };
    inside.iter().enumerate().skip(1).any(single)
}

/// The labels that are defined at the beginning of a line, also in a quotation or a list.
fn definitions(text: &str) -> HashSet<String> {
    let mut labels = HashSet::new();
    let mut rest_from = 0;
    for (end, _) in text.match_indices("]:") {
        let from = rest_from.max(end.saturating_sub(MAX_LABEL));
        let Some(start) = text.as_bytes()[from..end].iter().rposition(|b| *b == b'[') else {
            continue;
        };
        let start = from + start;
        rest_from = end;
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let marks = |b: &u8| b.is_ascii_whitespace() || b.is_ascii_digit() || b">*-+.)".contains(b);
        if start - line <= MAX_LABEL && text.as_bytes()[line..start].iter().all(marks) {
            labels.insert(label(&text[start + 1..end]));
        }
    }
    labels
}

/// Whether an image's text, or the label after it, is defined.
fn is_defined(labels: &HashSet<String>, alt: &str, after: &str) -> bool {
    if alt.len() <= MAX_LABEL && labels.contains(&label(alt)) {
        return true;
    }
    let Some(named) = after.trim_start().strip_prefix('[') else {
        return false;
    };
    let end = named.bytes().take(MAX_LABEL).position(|b| b == b']');
    end.is_some_and(|end| labels.contains(&label(&named[..end])))
}

/// A label as it is compared: without case, blanks folded.
fn label(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").to_lowercase().to_uppercase()
}

/// The attributes of a Mermaid node, which may hold an image in many spellings of YAML.
///
/// They follow the node without a blank; the revisions of Git, such as `HEAD@{1}`, are no attributes.
fn shapes(bytes: &[u8], edits: &mut Vec<Edit>) {
    for at in 1..bytes.len().saturating_sub(1) {
        let before = bytes[at - 1];
        let node = !before.is_ascii_whitespace() && !b"([{,;".contains(&before);
        if node && bytes[at..].starts_with(b"@{") && !is_revision(&bytes[at + 2..]) {
            edits.push(Edit::new(at..at + 2, "@ {", ChangeKind::Image));
        }
    }
}

/// Whether this is the inside of `@{…}` in Git: a number, a name or a date.
fn is_revision(inside: &[u8]) -> bool {
    let end = inside.iter().take(40).position(|b| *b == b'}');
    let Some(end) = end.filter(|end| *end > 0) else {
        return false;
    };
    let part = |(at, b): (usize, &u8)| {
        let time = *b == b':' && inside[at + 1].is_ascii_digit();
        b.is_ascii_alphanumeric() || matches!(b, b' ' | b'.' | b'_' | b'/' | b'-' | b'+') || time
    };
    inside[..end].iter().enumerate().all(part)
}

/// Attributes of DOT that load an image or a style sheet.
const ATTRIBUTES: [&[u8]; 3] = [b"image", b"stylesheet", b"shapefile"];

/// `image=` and the like with an address; a path loads nothing remote.
fn nodes(text: &str, edits: &mut Vec<Edit>) {
    let form = normalized::dot(text.as_bytes());
    let bytes = form.bytes();
    for at in 1..bytes.len() {
        let key = ATTRIBUTES.iter().find(|key| {
            let rest = bytes.get(at - 1..at - 1 + key.len());
            rest.is_some_and(|rest| rest.eq_ignore_ascii_case(key))
        });
        let Some(key) = key else { continue };
        let quoted = &bytes[at - 1 + key.len()..];
        let rest = quoted.strip_prefix(b"\"").unwrap_or(quoted);
        let spaced = skip_comments(rest);
        let Some(value) = spaced.strip_prefix(b"=") else {
            continue;
        };
        if is_remote(skip_comments(value)) {
            let equals = bytes.len() - spaced.len();
            let range = form.start_of(equals)..form.end_of(equals + 1);
            edits.push(Edit::new(range, " (=) ", ChangeKind::Image));
        }
    }
}

/// The rest after blanks and the comments of lines, up to a limit; the others are left out of the form.
fn skip_comments(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes.trim_ascii_start();
    while rest.starts_with(b"//") || rest.starts_with(b"#") {
        let Some(end) = rest.iter().take(MAX_LABEL).position(|b| *b == b'\n') else {
            break;
        };
        if bytes.len() - rest.len() > MAX_LABEL {
            break;
        }
        rest = rest[end..].trim_ascii_start();
    }
    rest
}

fn is_remote(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let value = value.strip_prefix(b"<").unwrap_or(value).trim_ascii_start();
    let scheme = value.iter().take(32).position(|b| *b == b':');
    let has_host = |at: usize| at > 1 && value[..at].is_ascii() && value[at..].starts_with(b"://");
    value.starts_with(b"//") || value.starts_with(b"\\\\") || scheme.is_some_and(has_host)
}
