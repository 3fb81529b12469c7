//! Contents in their stored form: outputs, errors, notes, patches and logs as named bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use zeph_executor::{
    Artifact, Logs, Note, Redact, ResultKey, TaskError, TaskErrorRecord, TaskOutput,
};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{ContentId, RunId};
use zeph_memory::{Content, ContentKind};

use crate::actor::Actor;

/// The named parts of one content, before they are stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContentParts {
    kind: &'static str,
    parts: Vec<(String, Bytes)>,
    /// The message of an error, without secrets.
    error_text: Option<Arc<str>>,
    /// The key under which an equal computation finds a result.
    key: Option<ResultKey>,
    /// The run whose name it is.
    origin: Option<RunId>,
}

/// The kind of a patch.
const PATCH: &str = "patch";

impl ContentParts {
    fn new(kind: &'static str, parts: Vec<(String, Bytes)>) -> Self {
        Self {
            kind,
            parts,
            error_text: None,
            key: None,
            origin: None,
        }
    }

    /// `None` for the null value without blobs. The secrets have been redacted before.
    pub(crate) fn of_output(output: &TaskOutput) -> Option<Self> {
        if output.value.is_null() && output.blobs.is_empty() {
            return None;
        }
        let value = (String::new(), Bytes::from(output.value.to_string()));
        let blobs = output
            .blobs
            .iter()
            .map(|(name, bytes)| (name.clone(), bytes.clone()));
        let parts = std::iter::once(value).chain(blobs).collect();
        Some(Self {
            key: output.key,
            ..Self::new("output", parts)
        })
    }

    /// The parts of an output of another run.
    pub(crate) fn of_stored_output(parts: Vec<Content>) -> Self {
        let parts = parts.into_iter().map(|part| (part.name, part.bytes));
        Self::new("output", parts.collect())
    }

    pub(crate) fn of_value(value: &Value) -> Self {
        let bytes = Bytes::from(value.to_string());
        Self::new("answer", vec![(String::new(), bytes)])
    }

    /// A result that a person gives.
    pub(crate) fn of_given(value: &Value) -> Self {
        let bytes = Bytes::from(value.to_string());
        Self::new("output", vec![(String::new(), bytes)])
    }

    /// The run that made a result.
    pub(crate) fn of_run(run: &RunId) -> Self {
        let bytes = Bytes::from(Value::from(run.as_str()).to_string());
        Self {
            origin: Some(run.clone()),
            ..Self::new("run", vec![(String::new(), bytes)])
        }
    }

    /// The run that made a result, if this is its name.
    pub(crate) const fn origin(&self) -> Option<&RunId> {
        self.origin.as_ref()
    }

    /// Who made a decision.
    pub(crate) fn of_actor(actor: &Actor) -> Self {
        // Plain data: texts and numbers.
        let bytes = Bytes::from(serde_json::to_string(actor).unwrap_or_else(|_| "{}".into()));
        Self::new("actor", vec![(String::new(), bytes)])
    }

    pub(crate) fn of_error(error: &TaskError, redact: Option<&dyn Redact>) -> Self {
        // The record is plain data: strings and numbers.
        let json = |error: &TaskErrorRecord| {
            Bytes::from(serde_json::to_string(error).unwrap_or_else(|_| "{}".into()))
        };
        let record = TaskErrorRecord::from(error);
        let clean = redacted_json(redact, &json(&record)).and_then(|clean| {
            let read: TaskErrorRecord = serde_json::from_slice(&clean).ok()?;
            Some((clean, read.message))
        });
        let (bytes, message) = clean.unwrap_or_else(|| {
            let message =
                "the error is withheld, because it contains a secret that cannot be redacted";
            let withheld = TaskError::permanent(message).with_code("redacted");
            (json(&TaskErrorRecord::from(&withheld)), message.to_owned())
        });
        Self {
            error_text: Some(message.into()),
            ..Self::new("error", vec![(String::new(), bytes)])
        }
    }

    /// The message of an error, without secrets.
    pub(crate) fn error_text(&self) -> Option<Arc<str>> {
        self.error_text.clone()
    }

    /// The key of a result that an equal computation may have.
    pub(crate) const fn key(&self) -> Option<ResultKey> {
        self.key
    }

    /// A note has one part, named after its kind.
    pub(crate) fn of_note(note: &Note, redact: Option<&dyn Redact>) -> Self {
        let body = redacted_json(redact, &note.body).unwrap_or_else(|| {
            let withheld =
                "the note is withheld, because it contains a secret that cannot be redacted";
            Bytes::from(Value::from(withheld).to_string())
        });
        Self::new("note", vec![(note.kind.name().to_owned(), body)])
    }

    pub(crate) fn of_patch(patch: &GraphSpec) -> Self {
        let bytes = Bytes::from(patch.to_json());
        Self::new(PATCH, vec![(String::new(), bytes)])
    }

    /// The patch, if this is one.
    pub(crate) fn patch(&self) -> Option<GraphSpec> {
        let (_, bytes) = self.parts.first().filter(|_| self.kind == PATCH)?;
        GraphSpec::from_json(std::str::from_utf8(bytes).ok()?).ok()
    }

    /// Takes all logs; `None` if there are none.
    pub(crate) fn of_logs(logs: &Logs, redact: Option<&dyn Redact>) -> Option<Self> {
        let logs = logs.take_redacted(redact);
        if logs.is_empty() {
            return None;
        }
        let parts = logs.into_iter();
        let parts = parts.map(|(stream, bytes)| (stream.name().to_owned(), bytes));
        Some(Self::new("log", parts.collect()))
    }

    /// All bytes together.
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    pub(crate) fn numbered(self, id: ContentId) -> Vec<Content> {
        let kind = ContentKind::new(self.kind);
        let part = |(name, bytes)| Content::named(id, kind.clone(), name, bytes);
        self.parts.into_iter().map(part).collect()
    }
}

/// The output without secrets: in the strings, keys and numbers of the value, and in the blobs.
///
/// # Errors
/// If a secret spans the punctuation of JSON, or is in an artifact: a file without it is another file.
pub(crate) fn redacted_output(
    redact: Option<&dyn Redact>,
    mut output: TaskOutput,
) -> Result<TaskOutput, TaskError> {
    let Some(redact) = redact else {
        return Ok(output);
    };
    redact_texts(redact, &mut output.value);
    let json = output.value.to_string();
    if *redact.redact(json.as_bytes()) != *json.as_bytes() {
        let why = "the result is withheld, because it contains a secret that cannot be redacted";
        return Err(TaskError::permanent(why).with_code("redacted"));
    }
    for (name, bytes) in &mut output.blobs {
        let is_clean_name = *redact.redact(name.as_bytes()) == *name.as_bytes();
        let clean = redact.redact(bytes);
        if is_clean_name && *clean == **bytes {
            continue;
        }
        if let Some(artifact) = Artifact::of_blob(name, bytes) {
            let why = format!(
                "the artifact {:?} contains a secret, so it is not kept; leave it out of `artifacts`",
                artifact.name
            );
            return Err(TaskError::permanent(why).with_code("redacted"));
        }
        let clean = Bytes::from(clean.into_owned());
        *bytes = clean;
    }
    Ok(output)
}

/// Redacts JSON and returns valid JSON: each string is redacted separately, so that no escape of JSON
/// hides a secret, and a number that is a secret becomes a string. Text that is not JSON is redacted
/// as a whole. `None` if a secret spans the punctuation of JSON.
fn redacted_json(redact: Option<&dyn Redact>, json: &Bytes) -> Option<Bytes> {
    let Some(redact) = redact else {
        return Some(json.clone());
    };
    let Ok(mut value) = serde_json::from_slice::<Value>(json) else {
        return Some(match redact.redact(json) {
            Cow::Borrowed(_) => json.clone(),
            Cow::Owned(clean) => Bytes::from(clean),
        });
    };
    let changed = redact_texts(redact, &mut value);
    let json = if changed {
        Bytes::from(value.to_string())
    } else {
        json.clone()
    };
    (*redact.redact(&json) == json[..]).then_some(json)
}

/// Redacts every string, key and number; returns whether there was a secret.
fn redact_texts(redact: &dyn Redact, value: &mut Value) -> bool {
    let clean = |text: &str| match redact.redact(text.as_bytes()) {
        clean if *clean == *text.as_bytes() => None,
        clean => Some(String::from_utf8_lossy(&clean).into_owned()),
    };
    let mut changed = false;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        let cleaned = match &*value {
            Value::String(text) => clean(text),
            Value::Number(number) => clean(&number.to_string()),
            Value::Array(_) | Value::Object(_) | Value::Null | Value::Bool(_) => None,
        };
        if let Some(text) = cleaned {
            *value = Value::String(text);
            changed = true;
            continue;
        }
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => {
                if fields.keys().any(|key| clean(key).is_some()) {
                    let old = std::mem::take(fields).into_iter();
                    *fields = old
                        .map(|(key, value)| (clean(&key).unwrap_or(key), value))
                        .collect();
                    changed = true;
                }
                open.extend(fields.values_mut());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    changed
}

/// Reads an output from its stored parts.
///
/// # Errors
/// If the main part is not JSON. The store checks hashes, so another version wrote it.
pub(crate) fn read_output<'a>(
    parts: impl IntoIterator<Item = &'a Content>,
) -> Result<Arc<TaskOutput>, TaskError> {
    let mut output = TaskOutput::null();
    let mut blobs = BTreeMap::new();
    for part in parts {
        if part.name.is_empty() {
            output.value = serde_json::from_slice(&part.bytes).map_err(|error| {
                TaskError::permanent("a stored output is not JSON")
                    .with_code("unreadable_output")
                    .with_source(error)
            })?;
        } else {
            blobs.insert(part.name.clone(), part.bytes.clone());
        }
    }
    output.blobs = blobs;
    Ok(Arc::new(output))
}

#[cfg(test)]
mod tests {
    use super::{ContentParts, Redact};
    use serde_json::{Value, json};
    use std::borrow::Cow;
    use zeph_executor::{Note, NoteKind, TaskError, TaskErrorRecord};

    struct Hush(&'static str);

    impl Redact for Hush {
        fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
            let plain = String::from_utf8_lossy(text);
            if plain.contains(self.0) {
                Cow::Owned(plain.replace(self.0, "‹gone›").into_bytes())
            } else {
                Cow::Borrowed(text)
            }
        }
    }

    fn note(secret: &'static str, body: &str) -> String {
        let note = Note::new(NoteKind::Reply, body.to_owned());
        let parts = ContentParts::of_note(&note, Some(&Hush(secret)));
        String::from_utf8_lossy(&parts.parts[0].1).into_owned()
    }

    #[test]
    fn a_note_stays_json_without_its_secrets() {
        let body = json!({ "text": "a\n\"x\" end", "12345678": [12_345_678, 1.50] }).to_string();
        let wanted = json!({ "text": "a‹gone›\" end", "12345678": [12_345_678, 1.5] });
        let read = |text: String| serde_json::from_str::<Value>(&text).ok();
        assert_eq!(read(note("\n\"x", &body)), Some(wanted));
        let wanted = json!({ "text": "a\n\"x\" end", "‹gone›": ["‹gone›", 1.5] });
        assert_eq!(read(note("12345678", &body)), Some(wanted));
        assert_eq!(note("absent", &body), body);
        assert_eq!(note("plain", "no JSON: plain"), "no JSON: ‹gone›");
    }

    #[test]
    fn a_note_with_a_secret_across_punctuation_is_withheld() {
        let withheld = note("a\",\"b", r#"["a","b"]"#);
        assert!(withheld.contains("is withheld"), "{withheld}");
    }

    #[test]
    fn a_redacted_error_stays_readable() {
        let wait = std::time::Duration::from_millis(1_500);
        let error = TaskError::retryable("wrong key \"x\"").with_retry_after(wait);
        let parts = ContentParts::of_error(&error, Some(&Hush("\"x\"")));
        assert_eq!(parts.error_text().as_deref(), Some("wrong key ‹gone›"));
        let read: TaskErrorRecord = serde_json::from_slice(&parts.parts[0].1).expect("is a record");
        assert_eq!(read.message, "wrong key ‹gone›");
        assert_eq!(read.retry_after_ms, Some(1_500));
        // A secret that is a key of the record itself: the record is replaced.
        let parts = ContentParts::of_error(&error, Some(&Hush("message")));
        let read: TaskErrorRecord = serde_json::from_slice(&parts.parts[0].1).expect("is a record");
        assert_eq!(read.code, "redacted");
    }
}
