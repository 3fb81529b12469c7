//! Contents: what the journal's ids refer to, as the bytes that a store keeps.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use zeph_graph::ContentId;
use zeph_memory::{Content, ContentKind};
use zeph_subagent::{LogStream, TaskError, TaskErrorRecord, TaskOutput};

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

    pub(crate) fn of_error(error: &TaskErrorRecord) -> Self {
        // The record is plain data: strings and numbers.
        let text = serde_json::to_string(error).unwrap_or_else(|_| "{}".into());
        Self {
            kind: "error",
            parts: vec![(String::new(), Bytes::from(text))],
        }
    }

    pub(crate) fn of_logs(logs: Vec<(LogStream, Bytes)>) -> Option<Self> {
        if logs.is_empty() {
            return None;
        }
        let parts = logs
            .into_iter()
            .map(|(stream, bytes)| (stream.name().to_owned(), bytes));
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
