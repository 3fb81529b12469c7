//! Addresses with code or data, and `url(` of style sheets.

use crate::content::ChangeKind;
use crate::neutralize::Edit;
use crate::normalized;

const CODE: [&[u8]; 2] = [b"javascript", b"vbscript"];

pub(crate) fn scan(text: &str, edits: &mut Vec<Edit>) {
    styles(text, edits);
    let form = normalized::address(text.as_bytes());
    let bytes = form.bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b':') {
        let (start, end) = (form.start_of(at), form.end_of(at + 1));
        if is_code(&bytes[..at], &text.as_bytes()[end..]) || is_data(&bytes[..at], &bytes[at + 1..])
        {
            edits.push(Edit::new(start..end, "(:)", ChangeKind::Address));
        }
    }
}

/// `url(` before an address, which is no function with a blank in it.
fn styles(text: &str, edits: &mut Vec<Edit>) {
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('(') {
        let outer = word_before(&bytes[..at], b"url");
        // `&url("…")` is code.
        let style = outer.is_some_and(|outer| outer.last() != Some(&b'&'));
        if style && is_address(&bytes[at + 1..]) {
            edits.push(Edit::new(at..at + 1, " (", ChangeKind::Address));
        }
    }
}

/// Whether an address with a scheme or a host follows, perhaps with an escape.
fn is_address(after: &[u8]) -> bool {
    let after = after.trim_ascii_start();
    let value = after
        .strip_prefix(b"\"")
        .or_else(|| after.strip_prefix(b"'"));
    let value = value.unwrap_or(after).trim_ascii_start();
    let part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let scheme = value.iter().take(32).take_while(part).count();
    match value.get(scheme) {
        Some(b':') => {
            let next = value.get(scheme + 1);
            scheme > 1 && next.is_some_and(|b| !b.is_ascii_whitespace() && *b != b':')
        }
        Some(b'&') => value.iter().skip(scheme).take(12).any(|b| *b == b';'),
        Some(b'\\') => true,
        Some(b'/') => scheme == 0 && value.starts_with(b"//"),
        _ => false,
    }
}

/// Whether the colon follows a scheme of code. With a blank after the colon it is prose, unless a quote or
/// bracket precedes the scheme.
fn is_code(before: &[u8], after: &[u8]) -> bool {
    let Some(outer) = CODE.iter().find_map(|word| word_before(before, word)) else {
        return false;
    };
    // A browser ignores blanks and controls before an address.
    let space = |b: &&u8| **b > b' ';
    let opened = matches!(
        outer.iter().rfind(space),
        Some(b'"' | b'\'' | b'`' | b'(' | b'<' | b'=')
    );
    let goes_on = after.first().is_some_and(|b| !b.is_ascii_whitespace());
    opened || goes_on
}

/// Whether the colon follows `data` and precedes a media type or the comma.
fn is_data(before: &[u8], after: &[u8]) -> bool {
    if word_before(before, b"data").is_none() {
        return false;
    }
    let part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let value = after.trim_ascii_start();
    let spaced = value.len() < after.len();
    let len = value.iter().take(32).take_while(part).count();
    match value.get(len) {
        Some(b'/') if spaced => {
            let rest = &value[len + 1..];
            let kind = rest.iter().take(64).take_while(part).count();
            len > 0 && kind > 0 && matches!(rest.get(kind), Some(b';' | b','))
        }
        Some(b'/') => len > 0,
        Some(b';' | b',') => len == 0,
        _ => false,
    }
}

/// The bytes before a whole word at the end of some bytes; `None` if they do not end in that word.
fn word_before<'a>(bytes: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (outer, end) = bytes.split_at_checked(bytes.len().checked_sub(word.len())?)?;
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    let alone = !outer.last().is_some_and(part);
    (alone && end.eq_ignore_ascii_case(word)).then_some(outer)
}
