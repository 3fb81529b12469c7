//! Stored errors: where the error of each task's last failure is.

use std::collections::BTreeMap;

use zeph_graph::{ContentId, Entry, Record, TaskId};

/// The stored error of the last failed attempt of each task that has not completed since.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoredErrors(BTreeMap<TaskId, ContentId>);

impl StoredErrors {
    /// The errors after these records.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut errors = Self::default();
        for entry in entries {
            errors.note(&entry.record);
        }
        errors
    }

    /// Reads a record.
    pub(crate) fn note(&mut self, record: &Record) {
        let Some(task) = record.task() else {
            return;
        };
        if let Some((_, error)) = record.failure() {
            // A failure without a stored error, such as a time-out, is not explained by an earlier one.
            match error {
                Some(error) => self.0.insert(task, error),
                None => self.0.remove(&task),
            };
        } else if let Record::Completed { .. } = record {
            self.0.remove(&task);
        }
    }

    /// The error of the task's last failed attempt; `None` without one, or if it is not stored.
    pub(crate) fn get(&self, task: TaskId) -> Option<ContentId> {
        self.0.get(&task).copied()
    }
}
