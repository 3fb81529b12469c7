//! Control characters and escape sequences of terminals.

const ESC: char = '\u{1B}';

/// Controls, and the two separators that some terminals break lines at.
pub(crate) const fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{2028}' | '\u{2029}')
}

/// The length of the escape sequence that a text starts with; `None` if it starts with none.
///
/// Each scan stops at the next control character, so that all scans of a text together are linear.
pub(crate) fn sequence_len(text: &str) -> Option<usize> {
    let mut chars = text.chars();
    let (kind, intro) = match chars.next()? {
        ESC => {
            let kind = chars.next()?;
            (kind, 1 + kind.len_utf8())
        }
        // The one-character forms of the same introducers.
        c @ '\u{80}'..='\u{9F}' => (char::from(u8::try_from(u32::from(c) - 0x40).ok()?), 2),
        _ => return None,
    };
    let body = &text[intro..];
    match kind {
        '[' => Some(intro + control_len(body)),
        ']' | 'P' | 'X' | '^' | '_' => Some(intro + string_len(body).unwrap_or(0)),
        ' '..='/' => Some(intro + charset_len(body)),
        '0'..='~' if text.starts_with(ESC) => Some(intro),
        _ => None,
    }
}

/// Parameters, intermediates and the final byte of a CSI sequence, as far as they are there.
fn control_len(body: &str) -> usize {
    let end = |from: usize, set: fn(&u8) -> bool| {
        from + body.as_bytes()[from..]
            .iter()
            .take_while(|b| set(b))
            .count()
    };
    let params = end(0, |b| matches!(b, 0x30..=0x3F));
    let middle = end(params, |b| matches!(b, 0x20..=0x2F));
    let last = body.as_bytes().get(middle);
    middle + usize::from(last.is_some_and(|b| matches!(b, 0x40..=0x7E)))
}

/// The rest of a sequence that chooses a character set.
fn charset_len(body: &str) -> usize {
    let middle = body
        .bytes()
        .take_while(|b| matches!(b, 0x20..=0x2F))
        .count();
    let last = body.as_bytes().get(middle);
    middle + usize::from(last.is_some_and(|b| matches!(b, 0x30..=0x7E)))
}

/// A string sequence's body with its terminator; `None` if another control comes first.
fn string_len(body: &str) -> Option<usize> {
    let end = body.find(is_control)?;
    let rest = &body[end..];
    if rest.starts_with("\u{1B}\\") || rest.starts_with('\u{9C}') {
        Some(end + 2)
    } else {
        rest.starts_with('\u{7}').then_some(end + 1)
    }
}
