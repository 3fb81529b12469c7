//! The byte strings that reveal a secret.

use std::ops::Range;

use zeph_common::{is_invisible, plain_text};

use super::error::MIN_SECRET_BYTES;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The fewest bytes of a line that is a secret by itself, such as a line of a PEM.
const MIN_LINE_BYTES: usize = 16;

/// A byte string to search for, and the index of its secret.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) bytes: Vec<u8>,
    pub(crate) secret: usize,
    /// Whether these are digits of hexadecimal, in lower case.
    pub(crate) is_hex: bool,
    edges: Edges,
}

/// Which neighbours of a pattern contain bits of the secret.
#[derive(Clone, Copy, Debug, Default)]
struct Edges {
    before: bool,
    after: bool,
    /// The most signs of padding after it.
    padding: usize,
}

impl Pattern {
    /// The place of the whole secret for a match at these places.
    ///
    /// In base64 and base32 the first and last bits of the secret may share a character with the
    /// neighbouring bytes, and padding may follow.
    pub(crate) fn with_edges(&self, bytes: &[u8], start: usize, end: usize) -> Range<usize> {
        let is_digit = |at: usize| {
            let digit = |b: &u8| STANDARD.contains(b) || URL_SAFE.contains(b);
            bytes.get(at).is_some_and(digit)
        };
        let start = match start.checked_sub(1) {
            Some(before) if self.edges.before && is_digit(before) => before,
            _ => start,
        };
        let end = end + usize::from(self.edges.after && is_digit(end));
        let padding = bytes[end..].iter().take(self.edges.padding);
        start..end + padding.take_while(|b| **b == b'=').count()
    }
}

/// Adds the byte strings of a secret.
pub(crate) fn patterns(secret: usize, value: &str, out: &mut Vec<Pattern>) {
    let mut add = |bytes: Vec<u8>, is_hex: bool, edges: Edges| {
        if !out.iter().any(|known| known.bytes == bytes) {
            out.push(Pattern {
                bytes,
                secret,
                is_hex,
                edges,
            });
        }
    };
    let hidden = |c: char| c.is_control() || is_invisible(c);
    let seen = value.replace(hidden, "");
    let cleaned = plain_text(value).text;
    for plain in [value, &seen, &cleaned, &value.replace(' ', "+")] {
        if plain.len() >= MIN_SECRET_BYTES {
            add(plain.as_bytes().to_vec(), false, Edges::default());
        }
    }
    let lines = value.lines().map(str::trim);
    for line in lines.filter(|line| line.len() >= MIN_LINE_BYTES && !line.starts_with("-----")) {
        add(line.as_bytes().to_vec(), false, Edges::default());
    }
    let hex: String = value.bytes().map(|b| format!("{b:02x}")).collect();
    add(hex.into_bytes(), true, Edges::default());
    let lower = BASE32.to_ascii_lowercase();
    let bits = value.len() * 8;
    for (width, alphabets) in [
        (6_usize, [&STANDARD[..], &URL_SAFE[..]]),
        (5, [&BASE32[..], &lower[..]]),
    ] {
        for alphabet in alphabets {
            for offset in 0_usize..if width == 6 { 3 } else { 5 } {
                let edges = Edges {
                    before: !(offset * 8).is_multiple_of(width),
                    after: !(offset * 8 + bits).is_multiple_of(width),
                    padding: if width == 6 { 2 } else { 6 },
                };
                add(
                    core(value.as_bytes(), offset, width, alphabet),
                    false,
                    edges,
                );
            }
        }
    }
}

/// The digits of that many bits that depend on the value alone if `offset` unknown bytes precede it.
fn core(value: &[u8], offset: usize, width: usize, alphabet: &[u8]) -> Vec<u8> {
    let bits = value.len() * 8;
    // The first digit that starts inside the value.
    let first = (offset * 8).div_ceil(width);
    let mut digits = Vec::with_capacity(bits / width + 1);
    let mut at = first * width - offset * 8;
    while at + width <= bits {
        let pair = [value[at / 8], value.get(at / 8 + 1).copied().unwrap_or(0)];
        let window = u16::from_be_bytes(pair) >> (16 - width - at % 8);
        digits.push(alphabet[usize::from(window) & (alphabet.len() - 1)]);
        at += width;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::{BASE32, STANDARD};

    fn core(value: &str, offset: usize) -> String {
        let digits = super::core(value.as_bytes(), offset, 6, STANDARD);
        String::from_utf8(digits).unwrap_or_default()
    }

    #[test]
    fn the_core_does_not_depend_on_neighbours() {
        // RFC 4648, section 10: "foobar" is Zm9vYmFy.
        assert_eq!(core("foobar", 0), "Zm9vYmFy");
        // After one byte, "xfoobar" is eGZvb2Jhcg==, and after two, "xxfoobar" is eHhmb29iYXI=.
        assert_eq!(core("foobar", 1), "Zvb2Jhc");
        assert_eq!(core("foobar", 2), "mb29iYX");
        // In base32 "foobar" is MZXW6YTBOI======; the last digit has padding bits.
        assert_eq!(super::core(b"foobar", 0, 5, BASE32), b"MZXW6YTBO");
    }
}
