//! Contents: what the journal's ids refer to, as the bytes that a store keeps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use zeph_executor::{Logs, Note, Redact, TaskError, TaskErrorRecord, TaskOutput};
use zeph_graph::ContentId;
use zeph_graph::wire::GraphSpec;
use zeph_memory::{Content, ContentKind};

/// The parts of one content, before it has a number.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    kind: &'static str,
    parts: Vec<(String, Bytes)>,
}

impl Parts {
    /// `None` for an output that says nothing.
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
            kind: "output",
            parts,
        })
    }

    pub(crate) fn of_value(value: &Value) -> Self {
        Self {
            kind: "answer",
            parts: vec![(String::new(), Bytes::from(value.to_string()))],
        }
    }

    pub(crate) fn of_error(error: &TaskErrorRecord, redact: Option<&dyn Redact>) -> Self {
        // The record is plain data: strings and numbers.
        let text = |error: &TaskErrorRecord| {
            Bytes::from(serde_json::to_string(error).unwrap_or_else(|_| "{}".into()))
        };
        let readable = |json: &Bytes| serde_json::from_slice::<TaskErrorRecord>(json).is_ok();
        let body = redacted_json(redact, &text(error)).filter(readable);
        let body = body.unwrap_or_else(|| {
            let message = "the error cannot be shown without a secret in it";
            let withheld = TaskError::permanent(message).with_code("redacted");
            text(&TaskErrorRecord::from(&withheld))
        });
        Self {
            kind: "error",
            parts: vec![(String::new(), body)],
        }
    }

    /// A note has one part, which is named after what it is about.
    pub(crate) fn of_note(note: &Note, redact: Option<&dyn Redact>) -> Self {
        let body = redacted_json(redact, &note.body).unwrap_or_else(|| {
            let withheld = "the note cannot be shown without a secret in it";
            Bytes::from(Value::from(withheld).to_string())
        });
        Self {
            kind: "note",
            parts: vec![(note.kind.name().to_owned(), body)],
        }
    }

    pub(crate) fn of_patch(patch: &GraphSpec) -> Self {
        Self {
            kind: "patch",
            parts: vec![(String::new(), Bytes::from(patch.to_json()))],
        }
    }

    /// Empties the logs.
    pub(crate) fn of_logs(logs: &Logs, redact: Option<&dyn Redact>) -> Option<Self> {
        let logs = logs.take_redacted(redact);
        if logs.is_empty() {
            return None;
        }
        let parts = logs.into_iter();
        let parts = parts.map(|(stream, bytes)| (stream.name().to_owned(), bytes));
        Some(Self {
            kind: "log",
            parts: parts.collect(),
        })
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

/// What is usually JSON without its secrets, and then stays JSON: each text of it loses its secrets, so that
/// no escape of JSON hides one, and a number that is one becomes a text. `None` if a secret reaches
/// over the marks of JSON.
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

/// Takes the secrets out of every text, key and number; tells whether there was any.
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

/// Reads an output back from its parts.
///
/// # Errors
/// If the main part is not JSON: the store checks hashes, so another version wrote it.
pub(crate) fn read_output(parts: &[Content]) -> Result<Arc<TaskOutput>, TaskError> {
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
    use super::{Parts, Redact};
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
        let parts = Parts::of_note(&note, Some(&Hush(secret)));
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
    fn what_no_text_holds_alone_is_withheld_whole() {
        let told = note("a\",\"b", r#"["a","b"]"#);
        assert!(told.contains("cannot be shown"), "{told}");
    }

    #[test]
    fn an_error_keeps_what_is_no_secret() {
        let wait = std::time::Duration::from_millis(1_500);
        let error = TaskError::retryable("wrong key \"x\"").with_retry_after(wait);
        let record = TaskErrorRecord::from(&error);
        let parts = Parts::of_error(&record, Some(&Hush("\"x\"")));
        let read: TaskErrorRecord = serde_json::from_slice(&parts.parts[0].1).expect("is a record");
        assert_eq!(read.message, "wrong key ‹gone›");
        assert_eq!(read.retry_after_ms, Some(1_500));
        // A secret that is a word of the form itself leaves a form that can be read all the same.
        let parts = Parts::of_error(&record, Some(&Hush("message")));
        let read: TaskErrorRecord = serde_json::from_slice(&parts.parts[0].1).expect("is a record");
        assert_eq!(read.code, "redacted");
    }
}
