//! Life: what the model remembers of each task and of the run.

use std::sync::Arc;

use zeph_graph::{AskWhy, Budget, CancelWhy, CutWhy, EndingWhy, Fault, Output, RunEnd, TaskId};

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
    pub(super) now: u64,
    pub(super) clock: Stretches,
    // When the last record was made that the run was recovered from.
    pub(super) last_at: u64,
    // Counts events, to tell what became ready before what.
    pub(super) events: u64,
    pub(super) budget: Budget,
    // The number of the last one.
    pub(super) reservations: u32,
}

/// What the model remembers of one task.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Where it stands.
    pub stand: Stand,
    /// Attempts started.
    pub attempts: u32,
    /// Those that count against the retries.
    pub failures: u32,
    /// Retries that people asked for.
    pub manual_retries: u32,
    /// Attempts lost or cut by a suspension.
    pub restarts: u32,
    /// Attempts given up.
    pub abandoned: u32,
    /// Whether its result stands in for one that failed.
    pub substituted: bool,
    /// Whether a patch of it was accepted.
    pub has_proposed: bool,
    pub(super) queued_at: u64,
    pub(super) clock: Stretches,
    pub(super) purse: TaskBudget,
}

/// Where a task stands, in the model's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stand {
    /// Its parents have not decided yet.
    #[default]
    Idle,
    /// It could start.
    Queued,
    /// This attempt runs since then.
    Working(u32, u64),
    /// This attempt failed; the next waits.
    Resting(u32, Until),
    /// A person is asked since then.
    Asked(AskWhy, u64),
    /// This attempt is being stopped since then.
    Stopping(u32, CutWhy, u64),
    /// It has ended.
    Gone(Gone),
}

/// When a back-off is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Then.
    Known(u64),
    /// Somewhere in between, both included; the jitter decides.
    Between(u64, u64),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// With a result.
    Completed(Output),
    /// Without one.
    Failed(Fault),
    /// Because of a parent.
    Spoilt,
    /// Because a person said no.
    Declined,
    /// Because somebody or something stopped it.
    Canceled(CancelWhy),
}

/// Where the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before its start.
    New,
    /// Going on.
    Live,
    /// Coming to rest since then.
    Suspending(u64),
    /// At rest.
    Suspended,
    /// Over.
    Over(RunEnd),
}

impl Model {
    /// A run that has not begun.
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
            now: 0,
            clock: Stretches::default(),
            last_at: 0,
            events: 0,
            reservations: 0,
        }
    }

    /// The process that drove the run is gone; its journal is read again.
    pub fn crash(&mut self, last_at: u64) {
        self.awaiting_resume = true;
        self.quota = u32::MAX;
        self.now = last_at;
        self.last_at = last_at;
    }

    /// The facts that it goes by.
    #[must_use]
    pub const fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// What it remembers of a task.
    #[must_use]
    pub fn life(&self, task: TaskId) -> &Life {
        &self.lives[task.index()]
    }

    /// Where the run stands.
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

    /// Attempts in flight, those being stopped included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lives.iter().filter(|life| life.has_attempt()).count()
    }

    /// Whether timers are asleep.
    #[must_use]
    pub const fn is_asleep(&self) -> bool {
        self.awaiting_resume || matches!(self.phase, Phase::New | Phase::Suspended | Phase::Over(_))
    }

    pub(super) fn ids(&self) -> Vec<TaskId> {
        self.facts.graph().ids().collect()
    }
}

impl Life {
    /// Whether an attempt runs or is being stopped.
    #[must_use]
    pub const fn has_attempt(&self) -> bool {
        matches!(self.stand, Stand::Working(..) | Stand::Stopping(..))
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self.stand, Stand::Gone(_))
    }

    /// Whether it has ended with a result.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        matches!(self.stand, Stand::Gone(Gone::Completed(_)))
    }
}
