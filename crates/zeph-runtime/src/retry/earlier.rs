//! Earlier: what a run had at one of its records.

use std::collections::BTreeSet;

use zeph_graph::{Record, Seq, TaskGraph, TaskId};

use crate::error::RuntimeError;
use crate::view::RunView;

/// What came after a record; nothing without one.
#[derive(Debug, Default)]
pub(super) struct Later {
    record: Option<Seq>,
    /// The number of amendments before.
    amendments: usize,
    /// The tasks that completed later.
    completed: BTreeSet<TaskId>,
    /// The tasks whose list of items was made later.
    expanded: BTreeSet<TaskId>,
}

impl Later {
    /// What came after this record, and the graph as it was.
    pub(super) fn than(view: &RunView, record: Seq) -> Result<(Self, TaskGraph), RuntimeError> {
        let last = view.entries.last().map(|entry| entry.seq);
        if !view.entries.iter().any(|entry| entry.seq == record) {
            return Err(RuntimeError::NoSuchRecord {
                run: view.run.clone(),
                record,
                last: last.unwrap_or(Seq::FIRST),
            });
        }
        let mut later = Self {
            record: Some(record),
            ..Self::default()
        };
        for entry in &view.entries {
            if entry.seq <= record {
                later.amendments += usize::from(matches!(entry.record, Record::Amended { .. }));
                continue;
            }
            if let Record::Expanded { task, .. } = entry.record {
                later.expanded.insert(task);
            }
            if let Some(end) = entry.record.task_end() {
                later.completed.insert(end.task);
            }
        }
        let graph = view.graph().as_written_after(later.amendments);
        Ok((later, graph))
    }

    pub(super) const fn is_some(&self) -> bool {
        self.record.is_some()
    }

    /// The task of the run that has this name in the graph as it was.
    pub(super) fn find(&self, graph: &TaskGraph, name: &str) -> Option<TaskId> {
        match self.record {
            // Items are not part of that graph, and are found by their own names.
            Some(_) => (graph.find_after(name, self.amendments)).or_else(|| graph.find(name)),
            None => graph.find(name),
        }
    }

    /// Whether a record is one of them.
    pub(super) fn has(&self, record: Seq) -> bool {
        self.record.is_some_and(|last| record > last)
    }

    /// Whether a task that has completed did so later.
    pub(super) fn completed(&self, task: TaskId) -> bool {
        self.completed.contains(&task)
    }

    /// Whether the list of a task was made later.
    pub(super) fn expanded(&self, task: TaskId) -> bool {
        self.expanded.contains(&task)
    }
}
