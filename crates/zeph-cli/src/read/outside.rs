//! What other processes do that matters to a run: who works on it, and which run holds its group.

use zeph_graph::Group;
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::{Owners, RunView};

use crate::context::AppContext;
use crate::exit::CliError;

/// The state of other processes, as far as it matters to one run. It can be old by a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outside {
    /// The process that works on the run.
    pub(crate) owner: Option<String>,
    /// The run of the same group that this one waits for.
    pub(crate) waits: Option<GroupWait>,
}

/// A wait for another run of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupWait {
    pub(crate) group: String,
    /// The run that holds the group, if it is known.
    pub(crate) holder: String,
}

impl GroupWait {
    /// The wait of a run of that group with a process; `None` if no other run holds the group.
    pub(crate) fn of(owners: &Owners, run: &str, group: &str) -> Option<Self> {
        let holder = owners.group_holder(group).filter(|holder| holder != run)?;
        let group = group.to_owned();
        Some(Self { group, holder })
    }

    /// `waits for run nightly-3 of group nightly`.
    pub(crate) fn words(&self) -> String {
        waits_words(&self.group, Some(&self.holder))
    }
}

/// `waits for run nightly-3 of group nightly`.
pub(crate) fn waits_words(group: &str, holder: Option<&str>) -> String {
    let holder = holder.map_or_else(
        || "another run".to_owned(),
        |holder| format!("run {}", zeph_common::escape_terminal(holder)),
    );
    format!("waits for {holder} of group {group}")
}

impl Outside {
    pub(crate) async fn of(
        cx: &AppContext,
        store: &SqliteStore,
        view: &RunView,
    ) -> Result<Self, CliError> {
        let (owner, owners) = (cx.owner_of(store, &view.run).await?, cx.owners(store));
        let group = Group::of(view.graph()).filter(|_| owner.is_some());
        let waits = group.and_then(|group| GroupWait::of(&owners, view.run.as_str(), group.name()));
        Ok(Self { owner, waits })
    }

    #[cfg(test)]
    pub(crate) fn owned_by(owner: Option<&str>) -> Self {
        Self {
            owner: owner.map(str::to_owned),
            waits: None,
        }
    }
}
