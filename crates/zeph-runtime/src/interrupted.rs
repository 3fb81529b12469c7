//! Interrupted attempts: their notes, from which the next attempt of the task goes on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use zeph_executor::{Note, TaskError};
use zeph_graph::{AttemptOutcome, ContentId, CutHow, CutWhy, Entry, Record, RunId, TaskId};
use zeph_memory::RawGraphStore;

use crate::restore::contents;

/// The notes of the attempts of each task that were interrupted since one ended by itself.
pub(crate) type Interrupted = BTreeMap<TaskId, Vec<ContentId>>;

/// Finds the notes of interrupted attempts. An attempt without an end is interrupted too: its process has
/// ended. One that was being stopped for another reason than a suspension is not. Cost: one pass.
pub(crate) fn interrupted(entries: &[Entry]) -> Interrupted {
    let mut notes = Interrupted::new();
    let mut stops = BTreeMap::new();
    for entry in entries {
        let record = &entry.record;
        if let Record::Noted { task, content, .. } = *record {
            notes.entry(task).or_default().push(content);
        }
        if let Record::CancelRequested { task, why, .. } = *record {
            stops.insert(task, why);
        }
        if let Some(end) = record.attempt_end() {
            let is_interrupted = match (end.outcome, stops.remove(&end.task)) {
                (AttemptOutcome::Cut(_), Some(why)) => why == CutWhy::Suspend,
                (AttemptOutcome::Cut(how), None) => how == CutHow::Lost,
                (AttemptOutcome::Completed(_) | AttemptOutcome::Failed { .. }, _) => false,
            };
            if !is_interrupted {
                notes.remove(&end.task);
            }
        }
        if let Some(end) = record.task_end() {
            notes.remove(&end.task);
        }
    }
    // An attempt without an end that was to be stopped.
    stops.retain(|_, why| *why != CutWhy::Suspend);
    notes.retain(|task, _| !stops.contains_key(task));
    notes
}

/// The notes that one attempt goes on from.
pub(crate) struct InterruptedNotes {
    store: Arc<dyn RawGraphStore>,
    run: RunId,
    notes: Vec<ContentId>,
}

impl fmt::Debug for InterruptedNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InterruptedNotes")
            .field(&self.notes)
            .finish()
    }
}

impl InterruptedNotes {
    /// Takes the notes for the next attempt of a task: an attempt after that one follows one which ended by
    /// itself.
    pub(crate) fn take(
        from: &mut Interrupted,
        task: TaskId,
        store: &Arc<dyn RawGraphStore>,
        run: &RunId,
    ) -> Option<Self> {
        let (store, run) = (Arc::clone(store), run.clone());
        let notes = from.remove(&task)?;
        Some(Self { store, run, notes })
    }

    /// Reads them. A note of a kind that this version does not know is left out.
    pub(crate) async fn read(&self) -> Result<Vec<Note>, TaskError> {
        let parts = contents(&*self.store, &self.run, &self.notes).await;
        let parts = parts.map_err(|error| {
            TaskError::retryable("the notes of the interrupted attempt cannot be read")
                .with_code("unreadable_notes")
                .with_source(error)
        })?;
        let parts: BTreeMap<ContentId, _> = parts.iter().map(|part| (part.id, part)).collect();
        let notes = self.notes.iter().filter_map(|id| {
            let part = parts.get(id)?;
            let kind = serde_json::from_value(Value::from(&*part.name)).ok()?;
            Some(Note::new(kind, part.bytes.clone()))
        });
        Ok(notes.collect())
    }
}
