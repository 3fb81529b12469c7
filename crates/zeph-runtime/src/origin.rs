//! Origins: the runs whose results a run has taken over.

use zeph_graph::{Record, RunId, SuppliedWhy, TaskId};
use zeph_memory::RawGraphStore;

use crate::error::RuntimeError;
use crate::retry::RetryPlan;
use crate::view::RunView;

impl RunView {
    /// Why a task has the result of an earlier run, and the run that made it; `None` if it has none of an earlier
    /// run.
    ///
    /// Cost: the records of the run.
    ///
    /// # Errors
    /// If the store cannot read the name of the run.
    pub async fn supplied(
        &self,
        store: &dyn RawGraphStore,
        task: TaskId,
    ) -> Result<Option<(SuppliedWhy, Option<RunId>)>, RuntimeError> {
        for entry in &self.entries {
            if let Record::Supplied { task: of, why, .. } = entry.record
                && of == task
            {
                return Ok(Some((why, self.origin(store, &entry.record).await?)));
            }
        }
        Ok(None)
    }

    /// The run that made the result that a record supplies; `None` for a record that supplies none.
    ///
    /// The run may have been deleted since.
    ///
    /// # Errors
    /// If the store cannot read its name.
    pub async fn origin(
        &self,
        store: &dyn RawGraphStore,
        record: &Record,
    ) -> Result<Option<RunId>, RuntimeError> {
        let Record::Supplied { from, .. } = *record else {
            return Ok(None);
        };
        let Some(from) = from else {
            let earlier = self.graph().metadata().get(RetryPlan::METADATA_KEY);
            return Ok(earlier.and_then(|run| run.parse().ok()));
        };
        let parts = self.content(store, from).await?;
        let name: Option<String> = parts
            .first()
            .and_then(|part| serde_json::from_slice(&part.bytes).ok());
        Ok(name.and_then(|name| name.parse().ok()))
    }
}
