//! The amendments of a stored run: which tasks were added and removed, by which task or person, and when.

use zeph_graph::{ContentId, Entry, Record, TaskId, Timestamp};
use zeph_memory::RawGraphStore;

use crate::actor::Actor;
use crate::error::RuntimeError;
use crate::restore::contents;
use crate::view::RunView;

/// A patch of a stored run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmendmentView {
    /// When it was recorded.
    pub at: Timestamp,
    /// The names of the new tasks, in the order of the graph.
    pub added: Vec<String>,
    /// The names of the tasks that have new definitions, which may only depend on others.
    pub replaced: Vec<String>,
    /// The names of the tasks that were removed.
    pub removed: Vec<String>,
    /// The task that proposed it; `None` if a person made it.
    pub task: Option<TaskId>,
    /// The person and the reason, if they are known.
    pub by: Option<Actor>,
}

impl RunView {
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
            let names = patch.tasks.into_iter().map(|task| task.name);
            let (replaced, added): (_, Vec<String>) =
                names.partition(|name| patch.removes.contains(name));
            let replaced: Vec<String> = replaced;
            let mut removed = patch.removes;
            removed.retain(|name| !replaced.contains(name));
            AmendmentView {
                at,
                added,
                replaced,
                removed,
                task,
                by: by.and_then(actor),
            }
        };
        Ok(all().map(view).collect())
    }
}
