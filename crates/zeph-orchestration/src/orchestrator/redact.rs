//! Redaction of secrets from everything that a run stores or shows.

use std::borrow::Cow;

use serde_json::json;
use zeph_diagnostics::quote;
use zeph_executor::Redact;
use zeph_graph::TaskGraph;
use zeph_graph::wire::GraphSpec;
use zeph_planfile::RunValues;
use zeph_sanitizer::{Redactor, SecretError};

use super::OrchestratorError;

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
pub(crate) fn redactor<'a>(
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

/// Refuses a graph that has one of these secrets: it is stored as it is, for a resume.
pub(super) fn check_stored<'a>(
    graph: &TaskGraph,
    secrets: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Result<(), OrchestratorError> {
    if secrets.clone().next().is_none() {
        return Ok(());
    }
    let all = redactor(secrets.clone())?;
    let has_any = |json: &str| matches!(all.redact(json), Cow::Owned(_));
    let mut places = parts(graph).filter(|(_, json)| has_any(json));
    let Some((place, json)) = places.next() else {
        return Ok(());
    };
    let mut named = secrets.filter(|&one| {
        redactor(std::iter::once(one)).is_ok_and(|one| matches!(one.redact(&json), Cow::Owned(_)))
    });
    let secret = named.next().map_or("a secret", |(name, _)| name).to_owned();
    Err(OrchestratorError::SecretStored { place, secret })
}

/// What a graph has, each with its name: tasks, parameters, the other metadata.
fn parts(graph: &TaskGraph) -> impl Iterator<Item = (String, String)> {
    let spec = GraphSpec::from(graph);
    let params = RunValues::of_graph(graph).map(|values| values.stored_params().clone());
    let params = params.unwrap_or_default().into_iter();
    let params = params.map(|(name, value)| {
        let place = format!("the parameter {}", quote(&name));
        (place, value.to_string())
    });
    let tasks = spec.tasks.into_iter().map(|task| {
        let place = format!("the task {}", quote(&task.name));
        (place, json!(task).to_string())
    });
    let rest = spec.metadata.into_iter();
    let rest = rest.map(|(key, text)| (format!("{} of the run", quote(&key)), text));
    params.chain(tasks).chain(rest)
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
