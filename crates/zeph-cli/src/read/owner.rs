//! Owners: whether a living process works on a run.

use zeph_graph::RunId;
use zeph_memory::{RawGraphStore as _, RunRow};
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::Owners;

use crate::context::AppContext;
use crate::exit::CliError;

/// The owner of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A running process, by the text in its lock.
    Alive(String),
    /// No process: the run is suspended or has ended, or its process ended.
    None,
}

impl Owner {
    /// Reads the lock of the run's owner.
    pub(crate) async fn of(
        cx: &AppContext,
        store: &SqliteStore,
        run: &RunId,
    ) -> Result<Self, CliError> {
        let row = store.get(run).await?;
        Ok(match cx.owners(store).holder(row.epoch) {
            Some(owner) if row.status.open => Self::Alive(owner),
            Some(_) | None => Self::None,
        })
    }

    pub(crate) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The owner, for JSON.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Alive(name) => Some(name),
            Self::None => None,
        }
    }
}

/// Whether a run has an active state but no running owner.
pub(crate) fn is_interrupted(owners: &Owners, row: &RunRow) -> bool {
    // The words of `RunState`; a store does not know the type.
    let at_work = matches!(row.status.state.as_str(), "running" | "suspending");
    row.status.open && at_work && owners.holder(row.epoch).is_none()
}
