//! Lifecycle: the model's state of each task and of the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeph_graph::{
    AskWhy, Budget, CancelWhy, CutWhy, EndingWhy, Fault, LaneId, ManualEnd, Output, RunEnd, TaskId,
};

use super::attempt_calls::TaskBudget;
use super::clock::Stretches;
use crate::facts::Facts;

/// The reference model of one run.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) facts: Arc<Facts>,
    pub(super) lives: Vec<Life>,
    pub(super) phase: Phase,
    pub(super) paused: bool,
    pub(super) awaiting_resume: bool,
    pub(super) ending: Option<EndingWhy>,
    pub(super) quota: u32,
    pub(super) lane_quotas: BTreeMap<LaneId, u32>,
    // Results of an earlier run, until the start.
    pub(super) supplied: BTreeMap<TaskId, Output>,
    // The numbers of items that an earlier run had made, until the start.
    pub(super) supplied_items: BTreeMap<TaskId, u32>,
    pub(super) now: u64,
    pub(super) clock: Stretches,
    // The time of the last record before the recovery.
    pub(super) last_at: u64,
    // The number of events, which orders the tasks by the time at which they became ready.
    pub(super) events: u64,
    pub(super) budget: Budget,
    // The number of the last reservation.
    pub(super) reservations: u32,
}

/// The model's state of one task.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Its state.
    pub stage: Stage,
    /// The number of started attempts.
    pub attempts: u32,
    /// The attempts that count against the retries.
    pub failures: u32,
    /// Retries that a person requested.
    pub manual_retries: u32,
    /// Attempts lost or cut by a suspension.
    pub restarts: u32,
    /// Abandoned attempts.
    pub abandoned: u32,
    /// Whether the task completed with a substitute value.
    pub substituted: bool,
    /// Whether the task completed with the result of its fallback.
    pub by_fallback: bool,
    /// The end that a person gave.
    pub manual_end: Option<ManualEnd>,
    /// The number of its patches that were accepted.
    pub proposals: u32,
    pub(super) queued_at: u64,
    pub(super) clock: Stretches,
    pub(super) budget: TaskBudget,
}

/// The state of a task in the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Its trigger is undecided.
    #[default]
    Idle,
    /// The driver says whether it runs.
    Preparing,
    /// It is ready.
    Queued,
    /// This attempt has been running since this time.
    Working(u32, u64),
    /// This attempt failed; the next one waits for the back-off.
    Resting(u32, Until),
    /// A question has been open since this time.
    Asked(AskWhy, u64),
    /// Its items have not all ended.
    Mapping,
    /// It failed in this way, and this task runs in its place.
    FallingBack(TaskId, Fault),
    /// This attempt has been stopping since this time.
    Stopping(u32, CutWhy, u64),
    /// It has ended.
    Ended(TaskEnd),
}

/// The end of a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Exactly this time.
    Known(u64),
    /// Between these times, both included; the jitter decides.
    Between(u64, u64),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// With a result.
    Completed(Output),
    /// Without one.
    Failed(Fault),
    /// Skipped because of a parent.
    FailedParent,
    /// Skipped because no parent failed.
    NoFailure,
    /// Skipped because its condition does not hold.
    ConditionFalse,
    /// Skipped because the executor had nothing to do.
    NothingToDo,
    /// Skipped because a person refused the approval.
    Declined,
    /// Skipped by a person.
    SkippedByHand,
    /// Withdrawn by the task that added it.
    Withdrawn,
    /// Skipped because the task whose fallback it is ended without it.
    NotNeeded,
    /// Skipped because a patch removed it.
    Removed,
    /// Canceled.
    Canceled(CancelWhy),
}

/// The phase of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before its start.
    New,
    /// Running.
    Live,
    /// Suspending since this time.
    Suspending(u64),
    /// Suspended.
    Suspended,
    /// Ended.
    Over(RunEnd),
}

impl Model {
    /// A run that has not started.
    #[must_use]
    pub fn new(facts: Arc<Facts>) -> Self {
        Self {
            budget: facts.header.policy.budget,
            lives: vec![Life::default(); facts.graph().len()],
            facts,
            phase: Phase::New,
            paused: false,
            awaiting_resume: false,
            ending: None,
            quota: u32::MAX,
            lane_quotas: BTreeMap::new(),
            supplied: BTreeMap::new(),
            supplied_items: BTreeMap::new(),
            now: 0,
            clock: Stretches::default(),
            last_at: 0,
            events: 0,
            reservations: 0,
        }
    }

    /// Models a crash and the recovery from the journal, whose last record has this time.
    pub fn crash(&mut self, last_at: u64) {
        self.awaiting_resume = true;
        self.quota = u32::MAX;
        self.lane_quotas.clear();
        self.now = last_at;
        self.last_at = last_at;
    }

    /// The current facts.
    #[must_use]
    pub const fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The tasks with the numbers of items that the start will add.
    #[must_use]
    pub const fn supplied_items(&self) -> &BTreeMap<TaskId, u32> {
        &self.supplied_items
    }

    /// The model's state of a task.
    #[must_use]
    pub fn life(&self, task: TaskId) -> &Life {
        &self.lives[task.index()]
    }

    /// The phase of the run.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether a recovered run waits to be resumed.
    #[must_use]
    pub const fn awaits_resume(&self) -> bool {
        self.awaiting_resume
    }

    /// Whether the run is paused.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Why the run is ending early, if it is.
    #[must_use]
    pub const fn ending(&self) -> Option<EndingWhy> {
        self.ending
    }

    /// The number of attempts in flight, including those that are being stopped.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lives.iter().filter(|life| life.has_attempt()).count()
    }

    /// Whether no timer fires.
    #[must_use]
    pub const fn is_asleep(&self) -> bool {
        self.awaiting_resume || matches!(self.phase, Phase::New | Phase::Suspended | Phase::Over(_))
    }

    /// Whether only finalizers are left.
    #[must_use]
    pub fn is_work_over(&self) -> bool {
        let mut tasks = self.facts.graph().ids();
        tasks.all(|task| self.facts.rules(task).finally || self.life(task).is_gone())
    }

    /// How the run ends, given how its tasks have ended.
    pub(super) fn how_it_ends(&self) -> RunEnd {
        let flaw = |life: &Life| {
            life.substituted
                || life.by_fallback
                || matches!(
                    life.stage,
                    Stage::Ended(TaskEnd::Failed(_) | TaskEnd::Canceled(_))
                )
        };
        match self.ending {
            Some(EndingWhy::Abort(_)) => RunEnd::Failed,
            Some(EndingWhy::Cancel) => RunEnd::Canceled,
            Some(EndingWhy::Timeout) => RunEnd::TimedOut,
            None if self.lives.iter().any(flaw) => RunEnd::Degraded,
            None => RunEnd::Completed,
        }
    }

    pub(super) fn ids(&self) -> Vec<TaskId> {
        self.facts.graph().ids().collect()
    }
}

impl Life {
    /// Whether an attempt runs or is being stopped.
    #[must_use]
    pub const fn has_attempt(&self) -> bool {
        matches!(self.stage, Stage::Working(..) | Stage::Stopping(..))
    }

    /// Whether the task has ended.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// Whether the task was skipped.
    #[must_use]
    pub const fn is_skipped(&self) -> bool {
        matches!(
            self.stage,
            Stage::Ended(
                TaskEnd::FailedParent
                    | TaskEnd::NoFailure
                    | TaskEnd::ConditionFalse
                    | TaskEnd::NothingToDo
                    | TaskEnd::Declined
                    | TaskEnd::SkippedByHand
                    | TaskEnd::Withdrawn
                    | TaskEnd::NotNeeded
                    | TaskEnd::Removed
            )
        )
    }

    /// Whether the task has completed.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        matches!(self.stage, Stage::Ended(TaskEnd::Completed(_)))
    }
}
