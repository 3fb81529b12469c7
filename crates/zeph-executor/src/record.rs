//! The stored form of an error.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ErrorClass, TaskError};

/// A [`TaskError`] as it is stored, sent and printed.
///
/// The source is not stored; its text is in the chain. Absent fields are omitted from the JSON, and
/// unknown fields are ignored when it is read.
///
/// # Examples
/// ```
/// use zeph_executor::{TaskError, TaskErrorRecord};
/// let error = TaskError::permanent("no such file").with_code("missing");
/// let json = serde_json::to_string(&TaskErrorRecord::from(&error))?;
/// assert_eq!(json, r#"{"class":"permanent","code":"missing","message":"no such file","chain":[]}"#);
/// let back = TaskError::from(serde_json::from_str::<TaskErrorRecord>(&json)?);
/// assert_eq!(back.code(), "missing");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskErrorRecord {
    /// Its class.
    pub class: ErrorClass,
    /// The stable code.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// The causes, nearest first.
    #[serde(default)]
    pub chain: Vec<String>,
    /// The floor for the delay before the next attempt, in milliseconds, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Facts for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl From<&TaskError> for TaskErrorRecord {
    fn from(error: &TaskError) -> Self {
        let millis = |delay: Duration| {
            u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
        };
        Self {
            class: error.class(),
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            chain: error.chain(),
            retry_after_ms: error.retry_after().map(millis),
            detail: error.detail().cloned(),
        }
    }
}

impl From<TaskErrorRecord> for TaskError {
    fn from(record: TaskErrorRecord) -> Self {
        let mut error = Self::new(record.class, record.message)
            .with_code(record.code)
            .with_chain(record.chain);
        if let Some(millis) = record.retry_after_ms {
            error = error.with_retry_after(Duration::from_millis(millis));
        }
        match record.detail {
            Some(detail) => error.with_detail(detail),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TaskErrorRecord;
    use crate::{ErrorClass, TaskError};
    use proptest::prelude::*;
    use std::time::Duration;

    fn class() -> impl Strategy<Value = ErrorClass> {
        prop_oneof![
            Just(ErrorClass::Retryable),
            Just(ErrorClass::Permanent),
            Just(ErrorClass::Cancelled),
            Just(ErrorClass::Interrupted),
            Just(ErrorClass::Refused),
        ]
    }

    proptest! {
        #[test]
        fn a_record_survives_the_journal(
            class in class(),
            message in ".*",
            code in "[a-z_]{1,12}",
            delay in prop::option::of(0u64..u64::MAX),
            detail in prop::option::of(".*"),
        ) {
            let mut error = TaskError::new(class, message).with_code(code).with_source("a cause");
            if let Some(nanos) = delay {
                error = error.with_retry_after(Duration::from_nanos(nanos));
            }
            if let Some(detail) = detail {
                error = error.with_detail(detail);
            }
            let record = TaskErrorRecord::from(&error);
            let json = serde_json::to_string(&record)?;
            let read: TaskErrorRecord = serde_json::from_str(&json)?;
            prop_assert_eq!(&read, &record);
            prop_assert_eq!(TaskErrorRecord::from(&TaskError::from(read)), record);
        }
    }

    #[test]
    fn a_record_of_a_later_version_is_read() {
        let json = r#"{"class":"refused","code":"x","message":"m","tint":"blue"}"#;
        let read = serde_json::from_str::<TaskErrorRecord>(json).map(TaskError::from);
        assert!(read.is_ok_and(|error| error.class() == ErrorClass::Refused));
    }
}
