//! Registered secrets, found in every usual encoding and replaced by their names.

mod encode;
mod error;
mod spans;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

pub use error::SecretError;

use encode::Pattern;
use spans::Span;

use crate::view;
use zeph_common::Boundary;

/// The fewest bytes that a secret may have: shorter ones would black out ordinary words.
pub const MIN_SECRET_BYTES: usize = 6;

/// The most secrets that a redactor takes: secrets that end in each other are all found at one place,
/// so a text costs as much as that for each of its bytes, at worst.
pub const MAX_SECRETS: usize = 512;

/// The most bytes of all secrets together: 1 MiB.
pub const MAX_SECRETS_BYTES: usize = 1 << 20;

/// The most bytes that a secret's name may have.
const MAX_NAME_BYTES: usize = 64;

/// Replaces registered secrets by `‹redacted: name›`, wherever text leaves the program.
///
/// A secret is found
///
/// - as it is, also with line breaks, colours of a terminal or invisible characters in it that were
///   not there (or without those that were);
/// - in base64, standard and URL-safe, padded or not, at any of the three alignments, so also as a
///   part of something longer, such as `user:password`, and across the line breaks of `base64`;
/// - in hexadecimal, all lower or all upper case;
/// - and each of these with percent-encoding, HTML entities (numbers and the basic names) or
///   the escapes of JSON (`\n`, `\"`, `\/`, `\u0041`, and `\x41`), of any or all characters.
///
/// It is not found reversed, compressed, encrypted, encoded twice in the same way, in base32, in
/// mixed-case hexadecimal, spelt with look-alikes or described in words. Whoever knows a secret and
/// can choose an encoding can get it past any redaction; this one is against accidents and echoes.
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

/// How often each secret was found, by name.
type Found = BTreeMap<String, u64>;

impl Redactor {
    /// A redactor of these secrets, each a name and a value.
    ///
    /// White space around a value is not part of it. A name may be given to several values.
    ///
    /// # Errors
    /// A name that is empty, longer than 64 bytes or has other characters than ASCII letters,
    /// digits, `_`, `-` and `.`; a value that is shorter than [`MIN_SECRET_BYTES`], that contains a
    /// character of the marker (`‹` or `›`), or that would be found in a marker; more secrets than
    /// [`MAX_SECRETS`], or more bytes of them than [`MAX_SECRETS_BYTES`].
    pub fn new<N, V>(secrets: impl IntoIterator<Item = (N, V)>) -> Result<Self, SecretError>
    where
        N: Into<String>,
        V: AsRef<str>,
    {
        let mut names = Vec::new();
        let mut patterns = Vec::new();
        let mut bytes = 0_usize;
        for (name, value) in secrets {
            let name = check_name(name.into())?;
            let value = check_value(&name, value.as_ref())?;
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

    /// Whether there is nothing to redact.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.inner.is_none()
    }

    /// The names of the secrets, in the order of registration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.inner.iter().flat_map(|inner| &inner.names);
        names.map(String::as_str)
    }

    /// The text with a marker for each secret; borrowed if there is none in it.
    ///
    /// Linear in the text; six readings of it at most. Memory is linear in the text, too, and time also
    /// in the number of secrets that end at one place: those that are ends of each other.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redact_text(text).0
    }

    /// As [`redact`](Self::redact), for bytes that may be no text.
    #[must_use]
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.find(bytes).0
    }

    /// The text, and how often each secret was found in it, by name.
    pub(crate) fn redact_text<'a>(&self, text: &'a str) -> (Cow<'a, str>, Found) {
        match self.find(text.as_bytes()) {
            (Cow::Borrowed(_), found) => (Cow::Borrowed(text), found),
            (Cow::Owned(bytes), found) => (Cow::Owned(into_text(bytes)), found),
        }
    }

    fn find<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, [u8]>, Found) {
        let mut found = BTreeMap::new();
        let spans = match &self.inner {
            Some(inner) => inner.spans(bytes),
            None => Vec::new(),
        };
        let Some(inner) = self.inner.as_ref().filter(|_| !spans.is_empty()) else {
            return (Cow::Borrowed(bytes), found);
        };
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for span in &spans {
            out.extend_from_slice(&bytes[at..span.start]);
            let name = &inner.names[span.secret];
            out.extend_from_slice(marker(name).as_bytes());
            *found.entry(name.clone()).or_default() += 1;
            at = span.end;
        }
        out.extend_from_slice(&bytes[at..]);
        (Cow::Owned(out), found)
    }
}

impl Inner {
    /// Where secrets stand, in order and apart from each other.
    fn spans(&self, bytes: &[u8]) -> Vec<Span> {
        let spans = view::views(bytes).flat_map(|view| self.places(&view));
        spans::merged(spans.collect())
    }

    /// Where secrets stand in one reading of a text, those apart that stand in longer ones.
    fn places(&self, view: &view::View<'_>) -> Vec<Span> {
        let mut spans = Vec::new();
        let (mut last_end, mut last) = (usize::MAX, 0..0);
        for found in self.finder.find_overlapping_iter(view.bytes()) {
            let pattern = &self.patterns[found.pattern().as_usize()];
            let edged = pattern.with_edges(view.bytes(), found.start(), found.end());
            // Of those that end here the longest comes first, and mostly holds the others.
            if found.end() == last_end && last.start <= edged.start && edged.end <= last.end {
                continue;
            }
            spans.push(Span {
                start: view.start_of(edged.start),
                end: view.end_of(edged.end),
                secret: pattern.secret,
            });
            (last_end, last) = (found.end(), edged);
        }
        spans
    }

    /// A marker that is itself redacted would never come to rest.
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
        f.debug_list().entries(self.names()).finish()
    }
}

fn marker(name: &str) -> String {
    format!("‹redacted: {name}›")
}

/// Spans begin and end at characters, so the bytes are a text again.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn check_name(name: String) -> Result<String, SecretError> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(fine) {
        return Err(SecretError::Name {
            name: zeph_common::truncate(
                &zeph_common::escape_terminal(&name),
                MAX_NAME_BYTES,
                Boundary::Char,
            )
            .to_string(),
        });
    }
    Ok(name)
}

fn check_value<'a>(name: &str, value: &'a str) -> Result<&'a str, SecretError> {
    let value = value.trim();
    if value.len() < MIN_SECRET_BYTES {
        return Err(SecretError::TooShort {
            name: name.to_owned(),
            bytes: value.len(),
        });
    }
    if value.contains(['‹', '›']) {
        return Err(SecretError::MarkerCharacter {
            name: name.to_owned(),
        });
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
