//! The byte strings that reveal a secret.

use std::ops::Range;

use zeph_common::{is_invisible, plain_text};

use super::error::MIN_SECRET_BYTES;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A byte string to search for, and the index of its secret.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) bytes: Vec<u8>,
    pub(crate) secret: usize,
    /// Whether the characters before and after it contain bits of the secret.
    shares_edges: bool,
}

impl Pattern {
    /// The place of the whole secret for a match at these places.
    ///
    /// In base64 the first and last bits of the secret may share a character with the neighbouring bytes,
    /// and padding may follow.
    pub(crate) fn with_edges(&self, bytes: &[u8], start: usize, end: usize) -> Range<usize> {
        if !self.shares_edges {
            return start..end;
        }
        let is_digit = |at: usize| {
            let digit = |b: &u8| STANDARD.contains(b) || URL_SAFE.contains(b);
            bytes.get(at).is_some_and(digit)
        };
        let start = match start.checked_sub(1) {
            Some(before) if is_digit(before) => before,
            _ => start,
        };
        let mut end = end + usize::from(is_digit(end));
        let padding = bytes[end..].iter().take(2).take_while(|b| **b == b'=');
        end += padding.count();
        start..end
    }
}

/// Adds the byte strings of a secret.
pub(crate) fn patterns(secret: usize, value: &str, out: &mut Vec<Pattern>) {
    let mut add = |bytes: Vec<u8>, shares_edges: bool| {
        if !out.iter().any(|known| known.bytes == bytes) {
            out.push(Pattern {
                bytes,
                secret,
                shares_edges,
            });
        }
    };
    let hidden = |c: char| c.is_control() || is_invisible(c);
    let seen = value.replace(hidden, "");
    let cleaned = plain_text(value).text;
    for plain in [value, &seen, &cleaned, &value.replace(' ', "+")] {
        if plain.len() >= MIN_SECRET_BYTES {
            add(plain.as_bytes().to_vec(), false);
        }
    }
    let lower: String = value.bytes().map(|b| format!("{b:02x}")).collect();
    add(lower.to_uppercase().into_bytes(), false);
    add(lower.into_bytes(), false);
    for alphabet in [STANDARD, URL_SAFE] {
        for offset in 0..3 {
            add(base64_core(value.as_bytes(), offset, alphabet), true);
        }
    }
}

/// The base64 digits that depend on the value alone if `offset` unknown bytes precede it.
fn base64_core(value: &[u8], offset: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let bits = value.len() * 8;
    // The first digit that starts inside the value.
    let first = (offset * 8).div_ceil(6);
    let mut digits = Vec::with_capacity(bits / 6 + 1);
    let mut at = first * 6 - offset * 8;
    while at + 6 <= bits {
        let pair = [value[at / 8], value.get(at / 8 + 1).copied().unwrap_or(0)];
        let window = u16::from_be_bytes(pair) >> (10 - at % 8);
        digits.push(alphabet[usize::from(window & 0x3F)]);
        at += 6;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::{STANDARD, base64_core};

    fn core(value: &str, offset: usize) -> String {
        String::from_utf8(base64_core(value.as_bytes(), offset, STANDARD)).unwrap_or_default()
    }

    #[test]
    fn the_core_does_not_depend_on_neighbours() {
        // RFC 4648, section 10: "foobar" is Zm9vYmFy.
        assert_eq!(core("foobar", 0), "Zm9vYmFy");
        // After one byte, "xfoobar" is eGZvb2Jhcg==, and after two, "xxfoobar" is eHhmb29iYXI=.
        assert_eq!(core("foobar", 1), "Zvb2Jhc");
        assert_eq!(core("foobar", 2), "mb29iYX");
    }
}
