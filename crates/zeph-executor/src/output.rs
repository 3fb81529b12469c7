//! The output of a task: a JSON value and named bytes.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::{Artifact, TaskError};

/// The most bytes that an output's value may have, written as compact JSON: 1 MiB.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// The most bytes that all blobs of an output may have together: 900 MB.
pub const MAX_BLOB_BYTES: usize = 900_000_000;

/// The result of a task.
///
/// # Examples
/// ```
/// use zeph_executor::TaskOutput;
/// let output = TaskOutput::from("done").with_blob("page.html", "<p>");
/// assert_eq!(output.value, "done");
/// assert_eq!(&output.blobs["page.html"][..], b"<p>");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskOutput {
    /// A JSON value of at most [`MAX_VALUE_BYTES`].
    pub value: Value,
    /// Binary or large data by name; at most [`MAX_BLOB_BYTES`] together.
    pub blobs: BTreeMap<String, Bytes>,
    /// The key under which an equal computation finds this output again, if it may. It is not a part of the
    /// result: a dependant does not see it.
    pub key: Option<ResultKey>,
}

/// The key of a result: a hash over everything that the result depends on.
pub type ResultKey = [u8; 32];

impl TaskOutput {
    /// The output of a task without a result: the null value.
    #[must_use]
    pub fn null() -> Self {
        Self::default()
    }

    /// The JSON form of any serializable value.
    ///
    /// # Errors
    /// Permanent, with the code `unserializable_output`, if the value has no JSON form (a map with keys
    /// that are not text, for example).
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, TaskError> {
        match serde_json::to_value(value) {
            Ok(value) => Ok(Self::from(value)),
            Err(error) => Err(TaskError::permanent("the output has no JSON form")
                .with_code("unserializable_output")
                .with_source(error)),
        }
    }

    /// The same output with one more blob; a blob of that name is replaced.
    #[must_use]
    pub fn with_blob(mut self, name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.blobs.insert(name.into(), bytes.into());
        self
    }

    /// The same output with one more artifact, as a blob; one of that name is replaced.
    #[must_use]
    pub fn with_artifact(mut self, artifact: Artifact) -> Self {
        let twin = Artifact {
            executable: !artifact.executable,
            ..artifact.clone()
        };
        self.blobs.remove(&twin.blob_name());
        self.blobs.insert(artifact.blob_name(), artifact.bytes);
        self
    }

    /// The artifacts among the blobs.
    pub fn artifacts(&self) -> impl Iterator<Item = Artifact> {
        let blobs = self.blobs.iter();
        blobs.filter_map(|(name, bytes)| Artifact::of_blob(name, bytes))
    }

    /// Checks the value against [`MAX_VALUE_BYTES`], see [`check_value_size`], and the
    /// [blobs](Self::check_blobs).
    ///
    /// # Errors
    /// Permanent, with the code `output_too_large` or `blob_too_large`.
    pub fn check(&self) -> Result<(), TaskError> {
        check_value_size(&self.value, MAX_VALUE_BYTES)?;
        self.check_blobs()
    }

    /// Checks the blobs against [`MAX_BLOB_BYTES`].
    ///
    /// # Errors
    /// Permanent, with the code `blob_too_large`.
    pub fn check_blobs(&self) -> Result<(), TaskError> {
        let bytes: usize = self.blobs.values().map(Bytes::len).sum();
        if bytes <= MAX_BLOB_BYTES {
            return Ok(());
        }
        Err(TaskError::permanent(format!(
            "the blobs of the output have {bytes} bytes, more than {MAX_BLOB_BYTES}; write a file and return its name"
        ))
        .with_code("blob_too_large"))
    }
}

impl<V: Into<Value>> From<V> for TaskOutput {
    fn from(value: V) -> Self {
        Self {
            value: value.into(),
            blobs: BTreeMap::new(),
            key: None,
        }
    }
}

/// Checks that a value, written as compact JSON, has at most `max_bytes` bytes.
///
/// Stops counting at the limit and stores nothing in memory.
///
/// # Errors
/// Permanent, with the code `output_too_large` and the limit in its message.
///
/// # Examples
/// ```
/// use zeph_executor::check_value_size;
/// let value = serde_json::json!([1, 2]);
/// assert!(check_value_size(&value, 5).is_ok());
/// assert_eq!(check_value_size(&value, 4).unwrap_err().code(), "output_too_large");
/// ```
pub fn check_value_size(value: &Value, max_bytes: usize) -> Result<(), TaskError> {
    if fits(value, max_bytes) {
        return Ok(());
    }
    Err(TaskError::permanent(format!(
        "the output is larger than {max_bytes} bytes of JSON; return less, or put it into a file or a blob and return its name"
    ))
    .with_code("output_too_large"))
}

/// Whether a value takes at most that many bytes as compact JSON.
pub(crate) fn fits(value: &Value, max_bytes: usize) -> bool {
    serde_json::to_writer(LimitedWriter(max_bytes), value).is_ok()
}

/// A writer that fails beyond a number of bytes.
struct LimitedWriter(usize);

impl io::Write for LimitedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, MAX_BLOB_BYTES, MAX_VALUE_BYTES, TaskOutput};
    use crate::ErrorClass;
    use std::collections::BTreeMap;

    #[test]
    fn the_limit_counts_json_bytes() {
        // Two quotes belong to the JSON text.
        let fits = TaskOutput::from("x".repeat(MAX_VALUE_BYTES - 2));
        assert!(fits.check().is_ok());
        let over = TaskOutput::from("x".repeat(MAX_VALUE_BYTES - 1));
        let error = over.check().err().map(|e| (e.class(), e.code().to_owned()));
        assert_eq!(
            error,
            Some((ErrorClass::Permanent, "output_too_large".to_owned()))
        );
    }

    #[test]
    fn the_blobs_have_a_limit_together() {
        let half = Bytes::from(vec![0; MAX_BLOB_BYTES / 2]);
        let fits = TaskOutput::null().with_blob("a", half.clone());
        let fits = fits.with_blob("b", half);
        assert!(fits.check().is_ok());
        let error = fits.with_blob("c", "x").check().err();
        assert_eq!(
            error.map(|e| e.code().to_owned()),
            Some("blob_too_large".to_owned())
        );
    }

    #[test]
    fn a_value_without_json_form_is_an_error() {
        let odd = BTreeMap::from([(vec![1], 2)]);
        let error = TaskOutput::from_serialize(&odd).err();
        let error = error.map(|e| (e.code().to_owned(), e.chain()));
        let wanted = (
            "unserializable_output".to_owned(),
            vec!["key must be a string".to_owned()],
        );
        assert_eq!(error, Some(wanted));
    }
}
