//! Lanes: concurrency limits with capacity and weight.

use std::sync::Arc;

use crate::{AddError, TaskGraph};

/// A named limit that tasks share: at most `capacity` units are occupied at a time.
///
/// A shared lane is one of all runs of a store: at most `capacity` attempts are in the lanes of that name, over all
/// processes. A task is in at most one of them, with weight 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The name, unique in its graph.
    pub name: Arc<str>,
    /// Units; at least 1.
    pub capacity: u32,
    /// Whether the limit counts the attempts of all runs of the store.
    pub shared: bool,
}

impl Lane {
    /// The most units of a shared lane: a process that waits for one of them waits for each.
    pub const MAX_SHARED: u32 = 64;
}

/// The position of a lane in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(u32);

impl LaneId {
    /// The lane at a position.
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }

    /// The position.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl TaskGraph {
    /// Declares a [shared](Lane::shared) lane.
    ///
    /// # Errors
    /// As [`try_add_lane`](Self::try_add_lane), and if the capacity is above [`Lane::MAX_SHARED`].
    pub fn try_add_shared_lane(
        &mut self,
        name: impl Into<Arc<str>>,
        capacity: u32,
    ) -> Result<LaneId, AddError> {
        let name = name.into();
        if capacity > Lane::MAX_SHARED {
            return Err(AddError::TooManySlots {
                lane: name.to_string(),
                capacity,
            });
        }
        let id = self.try_add_lane(name, capacity)?;
        self.lanes[id.index()].shared = true;
        Ok(id)
    }

    /// Declares a [shared](Lane::shared) lane.
    ///
    /// # Panics
    /// With the caller's location if [`try_add_shared_lane`](Self::try_add_shared_lane) would return an error.
    #[track_caller]
    pub fn add_shared_lane(&mut self, name: impl Into<Arc<str>>, capacity: u32) -> LaneId {
        match self.try_add_shared_lane(name, capacity) {
            Ok(id) => id,
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn set_lane_shared(&mut self, id: LaneId, shared: bool) {
        self.lanes[id.index()].shared = shared;
    }
}
