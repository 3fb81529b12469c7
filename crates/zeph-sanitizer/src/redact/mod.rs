//! Redaction of registered secrets in every usual encoding.

mod encode;
mod error;
mod spans;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

pub use error::{MAX_SECRETS, MAX_SECRETS_BYTES, MIN_SECRET_BYTES, SecretError};

use encode::Pattern;
use spans::Span;

use crate::change_counts::ChangeCounts;
use crate::content::ChangeKind;
use crate::normalized;
use zeph_common::{Boundary, escape_terminal, truncate};

/// The most bytes of a secret's name.
const MAX_NAME_BYTES: usize = 64;

/// Replaces registered secrets in a text by `‹redacted: name›`.
///
/// A secret is found
///
/// - unchanged, also with additional line breaks, terminal colours or invisible characters in it (or
///   without its own);
/// - in base64, standard and URL-safe, padded or not, at any of the three alignments, also as a part
///   of a longer text, such as `user:password`, and across the line breaks of `base64`;
/// - in base32, at any alignment, in upper or lower case;
/// - in hexadecimal of any case, also with blanks, line breaks, colons, `0x` and the like between digits, and
///   in a dump with offsets (`xxd`, `hexdump -C`, `od -t x1`, `tcpdump -X`), which is removed from the first
///   digit of the secret to the end of the line with the last one, with the text beside the digits;
/// - each line of a value that has at least 16 bytes, such as those of a PEM, by itself;
/// - and each of these with percent-encoding, HTML entities (numbers and the basic names) or
///   the escapes of JSON (`\n`, `\"`, `\/`, `\u0041`, and `\x41`), of any or all characters.
///
/// It is not found reversed, compressed, encrypted, encoded twice in the same way, in a hex dump of
/// swapped words (`od -x`) or of octal numbers, spelt with look-alikes or described in words. An attacker who knows a secret
/// and chooses the encoding can evade any redaction; this one prevents accidents and echoes.
///
/// Cheap to clone. A debug print shows names only.
///
/// # Examples
/// ```
/// use zeph_sanitizer::Redactor;
/// let redactor = Redactor::new([("api-key", "sk-12345678")])?;
/// assert_eq!(redactor.redact("key=sk-12345678!"), "key=‹redacted: api-key›!");
/// assert_eq!(redactor.redact("c2stMTIzNDU2Nzg="), "‹redacted: api-key›");
/// assert_eq!(redactor.redact("sk%2D12345678"), "‹redacted: api-key›");
/// # Ok::<(), zeph_sanitizer::SecretError>(())
/// ```
#[derive(Clone, Default)]
pub struct Redactor {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    names: Vec<String>,
    patterns: Vec<Pattern>,
    finder: AhoCorasick,
}

impl Redactor {
    /// A redactor of these secrets, each a name and a value.
    ///
    /// White space around a value is not part of it. Several values may have the same name.
    ///
    /// # Errors
    /// If [`check`](Self::check) refuses a secret, a value would match in the marker of another secret, or
    /// there are more secrets than [`MAX_SECRETS`] or more bytes of them than [`MAX_SECRETS_BYTES`].
    pub fn new<N, V>(secrets: impl IntoIterator<Item = (N, V)>) -> Result<Self, SecretError>
    where
        N: Into<String>,
        V: AsRef<str>,
    {
        let mut names = Vec::new();
        let mut patterns = Vec::new();
        let mut bytes = 0_usize;
        for (name, value) in secrets {
            let name = name.into();
            let value = value.as_ref().trim();
            Self::check(&name, value)?;
            bytes = bytes.saturating_add(value.len());
            if names.len() == MAX_SECRETS || bytes > MAX_SECRETS_BYTES {
                return Err(SecretError::OverLimit { name });
            }
            encode::patterns(names.len(), value, &mut patterns);
            names.push(name);
        }
        if names.is_empty() {
            return Ok(Self::default());
        }
        let finder = AhoCorasick::new(patterns.iter().map(|pattern| &pattern.bytes))
            .map_err(SecretError::TooMany)?;
        let inner = Inner {
            names,
            patterns,
            finder,
        };
        inner.check_markers()?;
        Ok(Self {
            inner: Some(Arc::new(inner)),
        })
    }

    /// Checks one secret, as [`new`](Self::new) does for each.
    ///
    /// # Errors
    /// If the name is empty, longer than 64 bytes or has other characters than ASCII letters, digits, `_`,
    /// `-` and `.`; or if the value is shorter than [`MIN_SECRET_BYTES`] without the white space around it,
    /// or contains a character of markers (`‹` or `›`).
    ///
    /// # Examples
    /// ```
    /// use zeph_sanitizer::{Redactor, SecretError};
    /// assert!(Redactor::check("api-key", "sk-12345678").is_ok());
    /// assert!(matches!(Redactor::check("pin", "1234"), Err(SecretError::TooShort { .. })));
    /// ```
    pub fn check(name: &str, value: &str) -> Result<(), SecretError> {
        let is_valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(is_valid) {
            let name = truncate(&escape_terminal(name), MAX_NAME_BYTES, Boundary::Char).to_string();
            return Err(SecretError::Name { name });
        }
        let (name, value) = (name.to_owned(), value.trim());
        if value.len() < MIN_SECRET_BYTES {
            let bytes = value.len();
            return Err(SecretError::TooShort { name, bytes });
        }
        if value.contains(['‹', '›']) {
            return Err(SecretError::MarkerCharacter { name });
        }
        Ok(())
    }

    /// The text with a marker for each secret; borrowed if there is none.
    ///
    /// Searches at most seven normalised forms of the text. Memory is linear in the text; time also in the
    /// number of secrets that are suffixes of each other.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redact_counted(text, &mut ChangeCounts::default())
    }

    /// As [`redact`](Self::redact), for bytes that need not be UTF-8.
    #[must_use]
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.replace(bytes, &mut ChangeCounts::default())
    }

    /// As [`redact`](Self::redact), and counts the secrets.
    pub(crate) fn redact_counted<'a>(
        &self,
        text: &'a str,
        counts: &mut ChangeCounts,
    ) -> Cow<'a, str> {
        match self.replace(text.as_bytes(), counts) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(into_text(bytes)),
        }
    }

    fn replace<'a>(&self, bytes: &'a [u8], counts: &mut ChangeCounts) -> Cow<'a, [u8]> {
        let Some(inner) = &self.inner else {
            return Cow::Borrowed(bytes);
        };
        let spans = inner.spans(bytes);
        if spans.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for span in &spans {
            out.extend_from_slice(&bytes[at..span.start]);
            let name = &inner.names[span.secret];
            out.extend_from_slice(marker(name).as_bytes());
            counts.add(ChangeKind::Secret(name.clone()), 1);
            at = span.end;
        }
        out.extend_from_slice(&bytes[at..]);
        Cow::Owned(out)
    }
}

impl Inner {
    /// The places of secrets, in order and disjoint.
    fn spans(&self, bytes: &[u8]) -> Vec<Span> {
        let forms = normalized::normalized_forms(bytes);
        let mut spans: Vec<_> = forms.flat_map(|form| self.places(&form, false)).collect();
        if let Some(digits) = normalized::hex_digits(bytes) {
            spans.extend(self.places(&digits, true));
        }
        if let Some(dump) = normalized::hex_dump(bytes) {
            // The rest of the last line may repeat the bytes as text.
            let whole_line = |span: Span| {
                let rest = bytes[span.end..].iter();
                let rest = rest.take_while(|byte| **byte != b'\n').count();
                Span {
                    end: span.end + rest,
                    ..span
                }
            };
            spans.extend(self.places(&dump, true).into_iter().map(whole_line));
        }
        spans::merged(spans)
    }

    /// The places of secrets in one normalised form, without those inside longer ones.
    fn places(&self, form: &normalized::Normalized<'_>, only_hex: bool) -> Vec<Span> {
        let mut spans = Vec::new();
        let (mut last_end, mut last) = (usize::MAX, 0..0);
        for found in self.finder.find_overlapping_iter(form.bytes()) {
            let pattern = &self.patterns[found.pattern().as_usize()];
            if only_hex && !pattern.is_hex {
                continue;
            }
            let edged = pattern.with_edges(form.bytes(), found.start(), found.end());
            // Of the matches with the same end the longest comes first, and usually contains the others.
            if found.end() == last_end && last.start <= edged.start && edged.end <= last.end {
                continue;
            }
            spans.push(Span {
                start: form.start_of(edged.start),
                end: form.end_of(edged.end),
                secret: pattern.secret,
            });
            (last_end, last) = (found.end(), edged);
        }
        spans
    }

    /// A marker that contains a secret would be redacted again in each pass.
    fn check_markers(&self) -> Result<(), SecretError> {
        for marked in &self.names {
            if let Some(span) = self.spans(marker(marked).as_bytes()).first() {
                return Err(SecretError::InMarker {
                    name: self.names[span.secret].clone(),
                    marked: marked.clone(),
                });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")?;
        let names = self.inner.iter().flat_map(|inner| &inner.names);
        f.debug_list().entries(names).finish()
    }
}

fn marker(name: &str) -> String {
    format!("‹redacted: {name}›")
}

/// Spans start and end at characters, so the bytes are UTF-8.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
