//! Earlier: what a run had at one of its records.

use std::collections::BTreeSet;

use zeph_graph::wire::GraphSpec;
use zeph_graph::{Record, Seq, TaskGraph, TaskId};

use crate::error::RuntimeError;
use crate::view::RunView;

/// What came after a record; nothing without one.
#[derive(Debug, Default)]
pub(super) struct Later {
    record: Option<Seq>,
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
        let mut added: BTreeSet<&str> = BTreeSet::new();
        for entry in view.entries.iter().filter(|entry| entry.seq > record) {
            if let Record::Expanded { task, .. } = entry.record {
                later.expanded.insert(task);
            }
            if let Record::Amended { content, .. } = entry.record {
                let patch = view.patches.get(&content);
                let tasks = patch.into_iter().flat_map(|patch| &patch.tasks);
                added.extend(tasks.map(|task| &*task.name));
            }
            if let Some(end) = entry.record.task_end() {
                later.completed.insert(end.task);
            }
        }
        let mut spec = GraphSpec::from(&view.graph().as_written());
        spec.tasks.retain(|task| !added.contains(&*task.name));
        // The tasks before an amendment do not depend on those that it adds.
        let graph = TaskGraph::try_from(spec).map_err(|problems| RuntimeError::Refused {
            run: view.run.clone(),
            reason: format!("its graph at record {record} cannot be restored: {problems}"),
        })?;
        Ok((later, graph))
    }

    pub(super) const fn is_some(&self) -> bool {
        self.record.is_some()
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
