//! Redaction of secrets from everything that a run stores or shows.

use std::borrow::Cow;

use zeph_executor::Redact;
use zeph_sanitizer::{Redactor, SecretError};

/// [`Redactor`] as the port that the engine and the replay use.
pub(super) struct RedactSecrets(pub(super) Redactor);

impl Redact for RedactSecrets {
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.0.redact_bytes(text)
    }
}

/// A redactor of these secrets, each a name and a value, without those that are too short.
///
/// A name that a marker cannot contain is replaced by `secret`. If a value occurs in a name, all names
/// are replaced by numbers.
pub(super) fn redactor<'a>(
    secrets: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Redactor, SecretError> {
    let long: Vec<(&str, &str)> = secrets.filter(|(_, value)| !is_too_short(value)).collect();
    let named = long.iter().map(|&(name, value)| {
        let is_bad_name = matches!(Redactor::check(name, value), Err(SecretError::Name { .. }));
        (if is_bad_name { "secret" } else { name }, value)
    });
    match Redactor::new(named) {
        Err(SecretError::InMarker { .. }) => {
            let numbered = long.iter().enumerate();
            Redactor::new(numbered.map(|(index, (_, value))| (index.to_string(), value)))
        }
        made => made,
    }
}

/// Whether a value is so short that it occurs in ordinary text.
pub(super) fn is_too_short(value: &str) -> bool {
    matches!(
        Redactor::check("secret", value),
        Err(SecretError::TooShort { .. })
    )
}

#[cfg(test)]
mod tests {
    use super::{RedactSecrets, is_too_short, redactor};
    use zeph_executor::Redact as _;
    use zeph_sanitizer::SecretError;

    fn redacted(secrets: &[(&str, &str)], text: &str) -> String {
        let redact = RedactSecrets(redactor(secrets.iter().copied()).unwrap());
        String::from_utf8_lossy(&redact.redact(text.as_bytes())).into_owned()
    }

    #[test]
    fn short_secrets_are_left_out_and_all_others_redacted() {
        let secrets = [
            ("OPENAI_API_KEY", "sk-0123456789abcdef"),
            ("pin", "1"),
            ("a name with blanks", "another-long-secret"),
        ];
        let text = "key sk-0123456789abcdef, another-long-secret, 1";
        assert_eq!(
            redacted(&secrets, text),
            "key ‹redacted: OPENAI_API_KEY›, ‹redacted: secret›, 1"
        );
        assert!(is_too_short(" 1 ") && !is_too_short("another-long-secret"));
    }

    #[test]
    fn a_value_that_occurs_in_a_name_is_redacted_too() {
        let secrets = [
            ("api_key", "sk-0123456789abcdef"),
            ("b", "api_key"),
            ("c", "secret-0"),
        ];
        let text = "key sk-0123456789abcdef api_key secret-0";
        assert_eq!(
            redacted(&secrets, text),
            "key ‹redacted: 0› ‹redacted: 1› ‹redacted: 2›"
        );
    }

    #[test]
    fn a_secret_that_cannot_be_redacted_is_an_error() {
        let marker = redactor([("a", "long‹secret")].into_iter());
        assert!(matches!(marker, Err(SecretError::MarkerCharacter { .. })));
        let many: Vec<String> = (0..600).map(|n| format!("secret-number-{n}")).collect();
        let many = redactor(many.iter().map(|one| ("s", one.as_str())));
        assert!(matches!(many, Err(SecretError::OverLimit { .. })));
    }
}
