//! Error texts: why the latest attempt of each unfinished task did not succeed.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeph_graph::{CutWhy, Entry, Fault, Record, TaskGraph, TaskId};

/// The latest error text of each task.
///
/// A failed attempt gives the text that its executor reported; a time-out names its limit.
#[derive(Clone, Debug, Default)]
pub struct LastErrors(BTreeMap<TaskId, Arc<str>>);

impl LastErrors {
    /// Reads a record. `reported` is the error text of the executor, for a failed attempt.
    pub fn note(&mut self, entry: &Entry, graph: &TaskGraph, reported: Option<Arc<str>>) {
        if let Record::AttemptFailed { task, fault, .. } = entry.record {
            let text = reported.unwrap_or_else(|| fault.to_string().into());
            self.0.insert(task, text);
        }
        if let Record::CancelRequested { task, why, .. } = entry.record {
            match why {
                CutWhy::AttemptTimeout => self.attempt_timeout(task, graph),
                CutWhy::TaskTimeout => self.task_timeout(task, graph),
                CutWhy::Cancel(_) | CutWhy::Suspend => {}
            }
        }
        if let Record::Failed {
            task,
            why: Fault::TaskTimeout,
        } = entry.record
        {
            self.task_timeout(task, graph);
        }
    }

    fn attempt_timeout(&mut self, task: TaskId, graph: &TaskGraph) {
        if let Some(limit) = graph.task(task).rules().attempt_timeout {
            let text = format!("the attempt took longer than {limit:?}");
            self.0.insert(task, text.into());
        }
    }

    fn task_timeout(&mut self, task: TaskId, graph: &TaskGraph) {
        let Some(limit) = graph.task(task).rules().task_timeout else {
            return;
        };
        let text = format!("all attempts together took longer than {limit:?}");
        let text = match self.0.get(&task) {
            Some(before) if before.starts_with(&text) => return,
            Some(before) => format!("{text}; before that: {before}"),
            None => text,
        };
        self.0.insert(task, text.into());
    }

    /// Sets the text of a task, after a recovery.
    pub fn set(&mut self, task: TaskId, text: Arc<str>) {
        self.0.insert(task, text);
    }

    /// The latest text of a task.
    #[must_use]
    pub fn get(&self, task: TaskId) -> Option<&Arc<str>> {
        self.0.get(&task)
    }

    /// Drops the text of a task.
    pub fn forget(&mut self, task: TaskId) {
        self.0.remove(&task);
    }
}
