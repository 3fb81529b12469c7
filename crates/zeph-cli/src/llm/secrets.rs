//! Secrets: what is taken out of everything that is kept or shown.

use std::borrow::Cow;

use zeph_sanitizer::Redactor;
use zeph_subagent::Redact;

/// The redactor as the engine's door for it.
pub(crate) struct Redacting(pub(crate) Redactor);

impl Redact for Redacting {
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.0.redact_bytes(text)
    }
}

/// A redactor of those secrets, by name.
///
/// A secret that is too short to be told from plain text is left out: taking every `a` out of a log
/// would hide nothing and spoil the log.
pub(crate) fn redactor<'a>(secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Redactor {
    let usable: Vec<(&str, &str)> = secrets
        .filter(|&secret| Redactor::new([secret]).is_ok())
        .collect();
    // Each of them is fine by itself; names that clash would leave them all in.
    Redactor::new(usable.iter().copied())
        .or_else(|_| {
            let numbered = usable.iter().enumerate();
            Redactor::new(numbered.map(|(i, (_, value))| (format!("secret-{i}"), *value)))
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Redacting, redactor};
    use zeph_subagent::Redact as _;

    #[test]
    fn usable_secrets_are_taken_out_and_others_left() {
        let secrets = [
            ("OPENAI_API_KEY", "sk-0123456789abcdef"),
            ("pin", "1"),
            ("a name with blanks", "another-long-secret"),
        ];
        let redacting = Redacting(redactor(secrets.into_iter()));
        let text = b"key sk-0123456789abcdef, 1".as_slice();
        let safe = String::from_utf8_lossy(&redacting.redact(text)).into_owned();
        assert!(
            !safe.contains("0123456789") && safe.ends_with(", 1"),
            "{safe}"
        );
    }
}
