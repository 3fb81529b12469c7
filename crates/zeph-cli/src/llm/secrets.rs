//! Secrets: what is taken out of everything that is kept or shown.

use std::borrow::Cow;

use zeph_executor::Redact;
use zeph_sanitizer::Redactor;

/// The redactor as the engine's door for it.
pub(crate) struct Redacting(pub(crate) Redactor);

impl Redact for Redacting {
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.0.redact_bytes(text)
    }
}

/// A redactor of those secrets, by name.
///
/// A secret that is too short to be told from plain text is left out, and said to be: taking every
/// `a` out of a log would hide nothing and spoil the log. One that cannot be kept under its name is
/// kept under a number. None of them takes another one along.
pub(crate) fn redactor<'a>(secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Redactor {
    let mut kept: Vec<(String, &str)> = Vec::new();
    let mut redactor = Redactor::default();
    for (name, value) in secrets {
        let names = [name.to_owned(), format!("secret-{}", kept.len() + 1)];
        let mut failed = None;
        for name in names {
            let with = kept.iter().map(|(name, value)| (name.as_str(), *value));
            match Redactor::new(with.chain([(name.as_str(), value)])) {
                Ok(larger) => {
                    redactor = larger;
                    kept.push((name, value));
                    failed = None;
                    break;
                }
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            tracing::warn!(%error, "a secret is not taken out of what is kept");
        }
    }
    redactor
}

#[cfg(test)]
mod tests {
    use super::{Redacting, redactor};
    use zeph_executor::Redact as _;

    #[test]
    fn usable_secrets_are_taken_out_and_others_left() {
        let secrets = [
            ("OPENAI_API_KEY", "sk-0123456789abcdef"),
            ("pin", "1"),
            ("a name with blanks", "another-long-secret"),
        ];
        let redacting = Redacting(redactor(secrets.into_iter()));
        let text = b"key sk-0123456789abcdef, another-long-secret, 1".as_slice();
        let safe = String::from_utf8_lossy(&redacting.redact(text)).into_owned();
        assert!(
            !safe.contains("0123456789") && !safe.contains("long-secret") && safe.ends_with(", 1"),
            "{safe}"
        );
    }

    #[test]
    fn a_secret_that_clashes_with_a_name_takes_no_other_along() {
        let secrets = [
            ("api_key", "sk-0123456789abcdef"),
            ("b", "api_key"),
            ("c", "secret-0"),
            ("d", "secret-4"),
        ];
        let redacting = Redacting(redactor(secrets.into_iter()));
        let safe = redacting.redact(b"key sk-0123456789abcdef").into_owned();
        let safe = String::from_utf8_lossy(&safe);
        assert!(!safe.contains("0123456789"), "{safe}");
    }
}
