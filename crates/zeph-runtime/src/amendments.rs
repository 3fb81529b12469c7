//! The amendments of a stored run: which tasks were added and removed, by which task or person, and when.

use zeph_graph::wire::GraphSpec;
use zeph_graph::{ContentId, Entry, Record, TaskId, Timestamp};
use zeph_memory::RawGraphStore;

use crate::actor::Actor;
use crate::error::RuntimeError;
use crate::restore::contents;
use crate::view::RunView;

/// What a patch changes in the graph of a run, by the names of its tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphChange {
    /// The new tasks, in the order of the graph.
    pub added: Vec<String>,
    /// The tasks that have new definitions, which may only depend on others.
    pub replaced: Vec<String>,
    /// The tasks that were removed.
    pub removed: Vec<String>,
}

impl GraphChange {
    /// What a patch changes.
    #[must_use]
    pub fn of(patch: GraphSpec) -> Self {
        let names = patch.tasks.into_iter().map(|task| task.name);
        let (replaced, added): (Vec<String>, Vec<String>) =
            names.partition(|name| patch.removes.contains(name));
        let mut removed = patch.removes;
        removed.retain(|name| !replaced.contains(name));
        Self {
            added,
            replaced,
            removed,
        }
    }
}

/// A patch of a stored run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmendmentView {
    /// When it was recorded.
    pub at: Timestamp,
    /// What it changes.
    pub change: GraphChange,
    /// The task that proposed it; `None` if a person made it.
    pub task: Option<TaskId>,
    /// The person and the reason, if they are known.
    pub by: Option<Actor>,
}

impl RunView {
    /// What the patch of a record changes; `None` for a record without one.
    #[must_use]
    pub fn change(&self, record: &Record) -> Option<GraphChange> {
        let Record::Amended { content, .. } = record else {
            return None;
        };
        self.patches.get(content).cloned().map(GraphChange::of)
    }

    /// The amendments, oldest first.
    ///
    /// # Errors
    /// If the store cannot read who made them.
    pub async fn amendments(
        &self,
        store: &dyn RawGraphStore,
    ) -> Result<Vec<AmendmentView>, RuntimeError> {
        let amended = |entry: &Entry| {
            let Record::Amended { task, content, by } = entry.record else {
                return None;
            };
            Some((entry.at, task, content, by.content()))
        };
        let all = || self.entries.iter().filter_map(amended);
        let ids: Vec<ContentId> = all().filter_map(|(.., by)| by).collect();
        let parts = contents(store, &self.run, &ids).await?;
        let actor = |id: ContentId| {
            let part = parts.iter().find(|part| part.id == id)?;
            serde_json::from_slice(&part.bytes).ok()
        };
        let view = |(at, task, content, by): (_, _, _, Option<ContentId>)| {
            let patch = self.patches.get(&content).cloned().unwrap_or_default();
            AmendmentView {
                at,
                change: GraphChange::of(patch),
                task,
                by: by.and_then(actor),
            }
        };
        Ok(all().map(view).collect())
    }
}
