//! Why a task or a lane cannot be added to a graph.

use crate::{MAX_NAME_BYTES, MAX_TASKS, TaskId};

/// Why a task or a lane cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// A dependency is an id of another graph.
    #[error("task {task:?} depends on {dependency}, which is an id of another graph")]
    ForeignTask {
        /// The task that was to be added.
        task: String,
        /// The id.
        dependency: TaskId,
    },
    /// A task that is no finalizer depends on one.
    #[error(
        "task {task:?} depends on {dependency:?}, which runs at the end: only another task that runs at the end can"
    )]
    NeedsFinalizer {
        /// The task that was to be added.
        task: String,
        /// The finalizer.
        dependency: String,
    },
    /// The name is empty, too long, or has control characters.
    #[error(
        "{name:?} cannot be a name: use 1 to {MAX_NAME_BYTES} bytes without control characters"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// The graph already has this name.
    #[error("the graph already has a task or lane {name:?}: choose another name")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A time-out or the wait of a default answer is zero.
    #[error("task {task:?}: {what} is zero: omit it for no limit")]
    ZeroTimeout {
        /// The task.
        task: String,
        /// The name of the time-out or wait.
        what: &'static str,
    },
    /// A task cannot run for each item of a list.
    #[error("task {task:?} cannot run for each item of a list: {why}")]
    BadForeach {
        /// The task.
        task: String,
        /// The reason.
        why: &'static str,
    },
    /// A task cannot be the fallback of another one.
    #[error("{fallback:?} cannot run in place of task {task:?}: {why}")]
    BadFallback {
        /// The task that was to be added.
        task: String,
        /// The task that it names as its fallback, or depends on.
        fallback: String,
        /// The reason.
        why: &'static str,
    },
    /// A lane has no capacity.
    #[error("lane {lane:?} has capacity 0: no task could ever run in it")]
    ZeroCapacity {
        /// The lane.
        lane: String,
    },
    /// The lane is not one of this graph.
    #[error("task {task:?} names a lane that this graph does not have")]
    UnknownLane {
        /// The task.
        task: String,
    },
    /// The task could never be admitted to the lane.
    #[error("task {task:?} weighs {weight} in lane {lane:?}, whose capacity is {capacity}")]
    BadWeight {
        /// The task.
        task: String,
        /// The lane.
        lane: String,
        /// The weight.
        weight: u32,
        /// The lane's capacity.
        capacity: u32,
    },
    /// The task lists one lane twice, so its weight is ambiguous.
    #[error("task {task:?} lists lane {lane:?} twice: give it a weight instead")]
    RepeatedLane {
        /// The task.
        task: String,
        /// The lane.
        lane: String,
    },
    /// The task has a weight in a shared lane, or is in two of them, so runs could wait for each other for ever.
    #[error(
        "task {task:?} may be in one shared lane, with weight 1, and not also in {lane:?} or with another weight"
    )]
    SharedLane {
        /// The task.
        task: String,
        /// The lane.
        lane: String,
    },
    /// A shared lane has too many units.
    #[error(
        "the shared lane {lane:?} has {capacity} units; it may have 1 to {}",
        crate::Lane::MAX_SHARED
    )]
    TooManySlots {
        /// The lane.
        lane: String,
        /// Its capacity.
        capacity: u32,
    },
    /// The graph is full.
    #[error("a graph holds at most {MAX_TASKS} tasks")]
    TooManyTasks,
}
