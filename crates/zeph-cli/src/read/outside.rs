//! What other processes do that matters to a run: who works on it, and which run holds its group.

use crate::store::Database;
use zeph_graph::{Group, Lane, LaneId};
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
    /// The shared lanes of the run.
    pub(crate) lanes: Vec<SharedLane>,
}

/// A shared lane, and the runs that use its slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharedLane {
    pub(crate) id: LaneId,
    pub(crate) slots: u32,
    pub(crate) holders: Vec<String>,
    /// Another run, which takes the slot that is freed next.
    pub(crate) next: Option<String>,
}

impl SharedLane {
    fn of(owners: &Owners, view: &RunView) -> Vec<Self> {
        let lanes = (0..).map(LaneId::from_index).zip(view.graph().lanes());
        let shared = lanes.filter(|(_, lane)| lane.shared);
        let lane = |(id, lane): (LaneId, &Lane)| Self {
            id,
            slots: lane.capacity,
            holders: owners.lane_holders(&lane.name, lane.capacity),
            next: owners
                .lane_turn(&lane.name)
                .filter(|next| next != view.run.as_str()),
        };
        shared.map(lane).collect()
    }

    /// Whether a task of the run cannot have a slot at once.
    pub(crate) fn is_taken(&self) -> bool {
        self.holders.len() as u64 >= u64::from(self.slots) || self.next.is_some()
    }

    /// The run to look at: one that uses a slot, or the one that is next.
    pub(crate) fn because(&self) -> Option<&str> {
        self.holders
            .first()
            .or(self.next.as_ref())
            .map(String::as_str)
    }

    /// `2 of 2 used by runs a, b; run c is next`.
    pub(crate) fn words(&self) -> String {
        let mut runs: Vec<&str> = self.holders.iter().map(String::as_str).collect();
        runs.sort_unstable();
        runs.dedup();
        let runs: Vec<_> = runs.into_iter().map(zeph_common::escape_terminal).collect();
        let (used, slots) = (self.holders.len(), self.slots);
        let mut text = format!("{used} of {slots} used");
        match &*runs {
            [] => {}
            [run] => text.push_str(&format!(" by run {run}")),
            runs => text.push_str(&format!(" by runs {}", runs.join(", "))),
        }
        if let Some(next) = &self.next {
            text.push_str(&format!(
                "; run {} is next",
                zeph_common::escape_terminal(next)
            ));
        }
        text
    }
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
        store: &Database,
        view: &RunView,
    ) -> Result<Self, CliError> {
        let owner = cx.owner_of(store, &view.run).await?;
        // Groups and shared lanes are those of one engine on a server.
        let owners = store.owners().filter(|_| owner.is_some());
        let Some(owners) = owners else {
            return Ok(Self {
                owner,
                ..Self::default()
            });
        };
        let group = Group::of(view.graph());
        let waits = group.and_then(|group| GroupWait::of(&owners, view.run.as_str(), group.name()));
        let lanes = SharedLane::of(&owners, view);
        Ok(Self {
            owner,
            waits,
            lanes,
        })
    }

    #[cfg(test)]
    pub(crate) fn owned_by(owner: Option<&str>) -> Self {
        Self {
            owner: owner.map(str::to_owned),
            waits: None,
            lanes: Vec::new(),
        }
    }
}
