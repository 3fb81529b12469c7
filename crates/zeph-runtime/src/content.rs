//! Contents: what the journal's ids refer to, as the bytes that a store keeps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use zeph_graph::ContentId;
use zeph_graph::wire::GraphSpec;
use zeph_memory::{Content, ContentKind};
use zeph_subagent::{LogStream, Note, Redact, TaskError, TaskErrorRecord, TaskOutput};

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
        let text = serde_json::to_string(error).unwrap_or_else(|_| "{}".into());
        Self {
            kind: "error",
            parts: vec![(String::new(), redacted_json(redact, Bytes::from(text)))],
        }
    }

    /// A note has one part, which is named after what it is about.
    pub(crate) fn of_note(note: &Note, redact: Option<&dyn Redact>) -> Self {
        let body = match redacted(redact, &note.body) {
            Cow::Borrowed(_) => note.body.clone(),
            Cow::Owned(body) => Bytes::from(body),
        };
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

    pub(crate) fn of_logs(
        logs: Vec<(LogStream, Bytes)>,
        redact: Option<&dyn Redact>,
    ) -> Option<Self> {
        if logs.is_empty() {
            return None;
        }
        let parts = logs.into_iter().map(|(stream, bytes)| {
            let bytes = match redacted(redact, &bytes) {
                Cow::Borrowed(_) => bytes,
                Cow::Owned(clean) => Bytes::from(clean),
            };
            (stream.name().to_owned(), bytes)
        });
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

/// Bytes without their secrets: the one place where what is kept about an attempt loses them.
pub(crate) fn redacted<'a>(redact: Option<&dyn Redact>, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    match redact {
        Some(redact) => redact.redact(bytes),
        None => Cow::Borrowed(bytes),
    }
}

/// The same for JSON that must stay JSON: each text of it loses its secrets.
fn redacted_json(redact: Option<&dyn Redact>, json: Bytes) -> Bytes {
    match redacted(redact, &json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(clean) if serde_json::from_slice::<IgnoredAny>(&clean).is_ok() => {
            Bytes::from(clean)
        }
        // A secret that reaches over the marks of JSON leaves nothing that could be told.
        Cow::Owned(_) => {
            let error = TaskError::permanent("the error cannot be shown without a secret in it");
            let record = TaskErrorRecord::from(&error.with_code("redacted"));
            Bytes::from(serde_json::to_string(&record).unwrap_or_else(|_| "{}".into()))
        }
    }
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
