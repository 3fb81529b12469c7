//! Normalised forms of a text: without invisible characters, or with one kind of escape decoded.

use std::borrow::Cow;

use zeph_common::is_invisible;

use crate::hex_dump::other_columns;

/// Bytes to search, with their offsets in the source.
pub(crate) struct Normalized<'a> {
    bytes: Cow<'a, [u8]>,
    /// The replaced ranges. Between two of them, distances are the same here and in the source.
    seams: Vec<Seam>,
}

struct Seam {
    /// The first byte of the replacement, here and in the source.
    start: (usize, usize),
    /// The byte after the replacement, here and in the source.
    end: (usize, usize),
}

impl Normalized<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The offset in the source of the start of a byte.
    pub(crate) fn start_of(&self, at: usize) -> usize {
        let passed = self.seams.partition_point(|seam| seam.end.0 <= at);
        if let Some(seam) = self.seams.get(passed)
            && seam.start.0 <= at
        {
            return seam.start.1;
        }
        self.after_seam(passed, at)
    }

    /// The offset in the source of the end of a range that ends before this byte.
    pub(crate) fn end_of(&self, at: usize) -> usize {
        let passed = self.seams.partition_point(|seam| seam.end.0 < at);
        match self.seams.get(passed) {
            Some(seam) if seam.start.0 < at => seam.end.1,
            _ => self.after_seam(passed, at),
        }
    }

    fn after_seam(&self, passed: usize, at: usize) -> usize {
        match passed.checked_sub(1) {
            Some(last) => {
                let end = self.seams[last].end;
                end.1 + (at - end.0)
            }
            None => at,
        }
    }
}

/// The text itself, and each normalised form that differs from it.
pub(crate) fn normalized_forms(bytes: &[u8]) -> impl Iterator<Item = Normalized<'_>> {
    let visible = decoded(bytes, invisible);
    let escapes: [Decode; 4] = [percent, entity, backslash, terminal];
    let others = escapes
        .into_iter()
        .filter(|decode| (0..bytes.len()).any(|at| decode(&bytes[at..]).is_some()))
        .filter_map(|decode| decoded(bytes, |rest| invisible_or(decode, rest)));
    std::iter::once(plain(bytes)).chain(visible).chain(others)
}

/// A decoded escape, without invisible characters: encoders break lines, and escape the breaks as well.
fn invisible_or(decode: Decode, rest: &[u8]) -> Option<(Bytes, usize)> {
    let Some((meaning, len)) = decode(rest) else {
        return invisible(rest);
    };
    match invisible(&meaning.bytes[..meaning.len]) {
        Some((nothing, seen)) if seen == meaning.len => Some((nothing, len)),
        Some(_) | None => Some((meaning, len)),
    }
}

/// The text as a browser reads an address: entities decoded, tabs and line feeds ignored.
pub(crate) fn address(bytes: &[u8]) -> Normalized<'_> {
    decoded(bytes, |rest| match rest.first()? {
        b'\t' | b'\n' => Some((Bytes::default(), 1)),
        _ => entity(rest).map(|(meaning, len)| match &meaning.bytes[..meaning.len] {
            b"\t" | b"\n" | b"\r" => (Bytes::default(), len),
            _ => (meaning, len),
        }),
    })
    .unwrap_or_else(|| plain(bytes))
}

/// The text as a browser reads it in an attribute or between tags: entities decoded.
pub(crate) fn entities(bytes: &[u8]) -> Option<Normalized<'_>> {
    bytes.contains(&b'&').then(|| decoded(bytes, entity))?
}

/// The text with digits of hexadecimal in lower case, and without separators between two of them.
pub(crate) fn hex_digits(bytes: &[u8]) -> Option<Normalized<'_>> {
    let mut follows_digit = false;
    decoded(bytes, |rest| {
        let separators = rest
            .iter()
            .take(16)
            .take_while(|b| b" \t\r\n:-,;._|".contains(b));
        let separators = separators.count();
        let next = &rest[separators..];
        let prefixes: [&[u8]; 5] = [b"0x", b"0X", b"\\x", b"\\X", b"%"];
        let prefix = prefixes.iter().find(|prefix| next.starts_with(prefix));
        let len = separators + prefix.map_or(0, |prefix| prefix.len());
        if follows_digit && len > 0 && rest.get(len).is_some_and(u8::is_ascii_hexdigit) {
            return Some((Bytes::default(), len));
        }
        let digit = rest[0];
        follows_digit = digit.is_ascii_hexdigit();
        (follows_digit && digit.is_ascii_uppercase())
            .then(|| (Bytes::byte(digit.to_ascii_lowercase()), 1))
    })
}

/// The text with the bytes of hex dumps in one piece each, as digits in lower case; `None` without a dump.
pub(crate) fn hex_dump(bytes: &[u8]) -> Option<Normalized<'_>> {
    let columns = other_columns(bytes);
    if columns.is_empty() {
        return None;
    }
    decoded(bytes, |rest| {
        let at = bytes.len() - rest.len();
        if let Some(end) = columns.get(&at) {
            return Some((Bytes::default(), end - at));
        }
        let digit = rest[0];
        let is_high = digit.is_ascii_hexdigit() && digit.is_ascii_uppercase();
        is_high.then(|| (Bytes::byte(digit.to_ascii_lowercase()), 1))
    })
}

/// The text of a DOT graph: without comments, with joined strings and decoded entities.
pub(crate) fn dot(bytes: &[u8]) -> Normalized<'_> {
    let mut unclosed = false;
    let decode = |rest: &[u8]| match rest.first()? {
        b'/' if rest.starts_with(b"/*") && !unclosed => {
            let end = rest.windows(2).skip(2).position(|pair| pair == b"*/");
            unclosed = end.is_none();
            Some((Bytes::default(), end? + 4))
        }
        b'\\' if rest.starts_with(b"\\\n") => Some((Bytes::default(), 2)),
        b'"' => {
            let joint = rest[1..].trim_ascii_start().strip_prefix(b"+")?;
            let next = joint.trim_ascii_start().strip_prefix(b"\"")?;
            Some((Bytes::default(), rest.len() - next.len()))
        }
        _ => entity(rest),
    };
    decoded(bytes, decode).unwrap_or_else(|| plain(bytes))
}

const fn plain(bytes: &[u8]) -> Normalized<'_> {
    Normalized {
        bytes: Cow::Borrowed(bytes),
        seams: Vec::new(),
    }
}

/// The meaning of an escape at the start of some bytes, and its length; `None` if there is none.
type Decode = fn(&[u8]) -> Option<(Bytes, usize)>;

/// Up to four bytes.
#[derive(Default)]
struct Bytes {
    bytes: [u8; 4],
    len: usize,
}

impl Bytes {
    fn byte(byte: u8) -> Self {
        Self {
            bytes: [byte, 0, 0, 0],
            len: 1,
        }
    }

    fn char(c: char) -> Self {
        let mut out = Self::default();
        out.len = c.encode_utf8(&mut out.bytes).len();
        out
    }
}

fn decoded(
    bytes: &[u8],
    mut decode: impl FnMut(&[u8]) -> Option<(Bytes, usize)>,
) -> Option<Normalized<'_>> {
    let mut out = Vec::new();
    let mut seams = Vec::new();
    let mut at = 0;
    let mut copied = 0;
    while at < bytes.len() {
        let Some((meaning, len)) = decode(&bytes[at..]) else {
            at += 1;
            continue;
        };
        out.extend_from_slice(&bytes[copied..at]);
        let start = (out.len(), at);
        out.extend_from_slice(&meaning.bytes[..meaning.len]);
        at += len;
        copied = at;
        seams.push(Seam {
            start,
            end: (out.len(), at),
        });
    }
    if seams.is_empty() {
        return None;
    }
    out.extend_from_slice(&bytes[copied..]);
    Some(Normalized {
        bytes: Cow::Owned(out),
        seams,
    })
}

/// Line breaks, other controls and invisible characters have no meaning.
fn invisible(bytes: &[u8]) -> Option<(Bytes, usize)> {
    let len = match bytes.first()? {
        0..=0x1F | 0x7F => return Some((Bytes::default(), 1)),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let c = std::str::from_utf8(bytes.get(..len)?)
        .ok()?
        .chars()
        .next()?;
    (c.is_control() || is_invisible(c)).then(|| (Bytes::default(), len))
}

/// A control sequence of a terminal, such as a change of colour, has no meaning.
fn terminal(bytes: &[u8]) -> Option<(Bytes, usize)> {
    let rest = bytes
        .strip_prefix(b"\x1b[")
        .or_else(|| bytes.strip_prefix("\u{9b}".as_bytes()))?;
    let inside = rest.iter().take_while(|b| matches!(b, 0x20..=0x3F)).count();
    let ends = matches!(rest.get(inside), Some(0x40..=0x7E));
    ends.then(|| (Bytes::default(), 2 + inside + 1))
}

fn percent(bytes: &[u8]) -> Option<(Bytes, usize)> {
    let [b'%', high, low, ..] = bytes else {
        return None;
    };
    let byte = hex(&[*high, *low])?;
    Some((Bytes::byte(u8::try_from(byte).ok()?), 3))
}

fn entity(bytes: &[u8]) -> Option<(Bytes, usize)> {
    let rest = bytes.strip_prefix(b"&")?;
    let named: [(&[u8], u8); 9] = [
        (b"amp;", b'&'),
        (b"lt;", b'<'),
        (b"gt;", b'>'),
        (b"quot;", b'"'),
        (b"apos;", b'\''),
        (b"colon;", b':'),
        (b"sol;", b'/'),
        (b"Tab;", b'\t'),
        (b"NewLine;", b'\n'),
    ];
    for (name, byte) in named {
        if rest.starts_with(name) {
            return Some((Bytes::byte(byte), 1 + name.len()));
        }
    }
    let rest = rest.strip_prefix(b"#")?;
    let (digits, radix, prefix) = match rest.first()? {
        b'x' | b'X' => (&rest[1..], 16, 3),
        _ => (rest, 10, 2),
    };
    // Any number of leading zeros is allowed; browsers accept a missing semicolon.
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    let places = digits[zeros..].iter().take(12);
    let len = zeros
        + places
            .take_while(|b| char::from(**b).is_digit(radix))
            .count();
    let zeros = zeros.min(len.saturating_sub(1));
    let number = std::str::from_utf8(&digits[zeros..len]).ok()?;
    let c = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
    let closed = usize::from(digits.get(len) == Some(&b';'));
    Some((Bytes::char(c), prefix + len + closed))
}

fn backslash(bytes: &[u8]) -> Option<(Bytes, usize)> {
    let rest = bytes.strip_prefix(b"\\")?;
    let simple = match rest.first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        c @ (b'"' | b'\'' | b'\\' | b'/') => *c,
        b'x' => {
            let byte = hex(rest.get(1..3)?)?;
            return Some((Bytes::byte(u8::try_from(byte).ok()?), 4));
        }
        b'u' => return unicode(rest),
        _ => return None,
    };
    Some((Bytes::byte(simple), 2))
}

/// `u0041` after a backslash, or a pair of surrogates.
fn unicode(rest: &[u8]) -> Option<(Bytes, usize)> {
    let first = hex(rest.get(1..5)?)?;
    if let Some(c) = char::from_u32(first) {
        return Some((Bytes::char(c), 6));
    }
    if rest.get(5..7)? != b"\\u" {
        return None;
    }
    let second = hex(rest.get(7..11)?)?;
    let high = first.checked_sub(0xD800).filter(|high| *high < 0x400)?;
    let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
    let c = char::from_u32(0x1_0000 + (high << 10) + low)?;
    Some((Bytes::char(c), 12))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| {
        Some(sum * 16 + char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::normalized_forms;

    /// The normalised forms of a text.
    fn others(text: &str) -> Vec<String> {
        let readings = normalized_forms(text.as_bytes()).skip(1);
        readings
            .map(|form| String::from_utf8_lossy(form.bytes()).into_owned())
            .collect()
    }

    #[test]
    fn each_escape_is_decoded() {
        let table = [
            ("a\r\nb\u{200b}c\u{85}", "abc"),
            ("%41%c3%A9%", "Aé%"),
            ("&#65;&#x42;&#0067&amp;&lt;&", "ABC&<&"),
            (r#"\u0041\"\/\x42\ud83d\ude00\q\"#, "A\"/B😀\\q\\"),
            (r"a\r\nb\u200bc", "abc"),
            ("%41%0A%42", "AB"),
        ];
        for (given, wanted) in table {
            assert_eq!(others(given), [wanted], "{given:?}");
        }
        assert!(others("plain").is_empty());
    }

    #[test]
    fn places_map_to_whole_escapes() {
        let form = normalized_forms(b"ab%41%42cd").nth(1);
        let Some(form) = form else {
            panic!("there is a second reading");
        };
        assert_eq!(form.bytes(), b"abABcd");
        let starts: Vec<_> = (0..6).map(|at| form.start_of(at)).collect();
        assert_eq!(starts, [0, 1, 2, 5, 8, 9]);
        let ends: Vec<_> = (1..=6).map(|at| form.end_of(at)).collect();
        assert_eq!(ends, [1, 2, 5, 8, 9, 10]);
    }
}
