//! The machine's state: one array per hot field, ordered maps for what few tasks have.

use std::collections::{BTreeMap, VecDeque};

use zeph_graph::{
    AskWhy, Attempt, Effect, EndingWhy, Entry, Links, Policy, QuestionId, Record, RunEnd, Seq,
    Task, TaskGraph, TaskId, TaskState, Timestamp, Trigger, Work,
};

use crate::batch::Action;
use crate::doors::Purse;
use crate::ready::Ready;
use crate::timers::{Clock, Timers};

/// Set in `waiting` when a parent has ended without completing.
pub(crate) const SPOILED: u32 = 1 << 31;

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) graph: TaskGraph,
    pub(crate) links: Links,
    pub(crate) policy: Policy,

    // Per task.
    pub(crate) traits: Vec<Traits>,
    pub(crate) state: Vec<TaskState>,
    // Parents that have not ended, and the `SPOILED` flag.
    pub(crate) waiting: Vec<u32>,
    pub(crate) attempts: Vec<u32>,

    // Of the few tasks that have one.
    pub(crate) tally: BTreeMap<TaskId, Tally>,
    pub(crate) clocks: BTreeMap<TaskId, Clock>,
    pub(crate) questions: BTreeMap<QuestionId, OpenQuestion>,
    pub(crate) purse: Purse,

    pub(crate) ready: Ready,
    pub(crate) timers: Timers,
    pub(crate) counts: Counts,
    pub(crate) run: Run,

    // Between two batches.
    pub(crate) now: Timestamp,
    pub(crate) pending: Vec<Entry>,
    pub(crate) actions: Vec<Action>,
    pub(crate) spread: VecDeque<TaskId>,
    pub(crate) quota: u32,
    // Recovered from a journal: nothing moves until `Resume`, since what was in flight is unknown.
    pub(crate) dormant: bool,
}

/// What the hot path needs of a definition, so that the definition itself stays cold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) trigger: Trigger,
    pub(crate) kind: Kind,
    pub(crate) approve: bool,
    /// Whether attempts, or all of them together, are limited in time.
    pub(crate) timed: bool,
}

/// The kind of a task's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Milestone,
    Action,
    Question,
}

impl Traits {
    pub(crate) fn of(task: &Task) -> Self {
        let rules = task.rules();
        Self {
            trigger: rules.trigger,
            kind: match task.work() {
                Work::Milestone => Kind::Milestone,
                Work::Action { .. } => Kind::Action,
                Work::Question(_) => Kind::Question,
            },
            approve: rules.approve.is_some(),
            timed: rules.attempt_timeout.is_some() || rules.task_timeout.is_some(),
        }
    }
}

/// What has gone wrong with a task so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts that failed and count against the retry policy.
    pub failures: u32,
    /// Attempts that a person asked for.
    pub agains: u32,
    /// Attempts that were lost or cut by a suspension, and cost no retry.
    pub restarts: u32,
    /// Attempts that ignored their cancellation and were given up.
    pub abandoned: u32,
}

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenQuestion {
    /// Its number.
    pub id: QuestionId,
    /// The task that it holds up.
    pub task: TaskId,
    /// What it is about.
    pub why: AskWhy,
    /// When it was asked.
    pub since: Timestamp,
}

/// How many tasks stand in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub pending: u32,
    pub ready: u32,
    pub running: u32,
    pub backing_off: u32,
    pub asking: u32,
    pub canceling: u32,
    pub completed: u32,
    pub failed: u32,
    pub skipped: u32,
    pub canceled: u32,
    /// Completed tasks whose result is a substitute for one that failed.
    pub substituted: u32,
}

impl Counts {
    pub(crate) const fn of(&mut self, state: TaskState) -> &mut u32 {
        match state {
            TaskState::Pending => &mut self.pending,
            TaskState::Ready => &mut self.ready,
            TaskState::Running { .. } => &mut self.running,
            TaskState::BackingOff { .. } => &mut self.backing_off,
            TaskState::Asking { .. } => &mut self.asking,
            TaskState::Canceling { .. } => &mut self.canceling,
            TaskState::Completed { .. } => &mut self.completed,
            TaskState::Failed { .. } => &mut self.failed,
            TaskState::Skipped { .. } => &mut self.skipped,
            TaskState::Canceled { .. } => &mut self.canceled,
        }
    }

    /// Each state with its word and its number of tasks: final states first, then the active ones.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        [
            ("completed", self.completed),
            ("failed", self.failed),
            ("skipped", self.skipped),
            ("canceled", self.canceled),
            ("running", self.running),
            ("canceling", self.canceling),
            ("backing_off", self.backing_off),
            ("asking", self.asking),
            ("ready", self.ready),
            ("pending", self.pending),
        ]
        .into_iter()
    }

    /// Tasks that have ended.
    #[must_use]
    pub const fn ended(&self) -> u32 {
        self.completed + self.failed + self.skipped + self.canceled
    }

    /// Attempts in flight, those that are being stopped included.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.running + self.canceling
    }

    /// All tasks.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.ended() + self.in_flight() + self.pending + self.ready + self.backing_off + self.asking
    }
}

/// Where the run as a whole stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) phase: Phase,
    pub(crate) paused: bool,
    pub(crate) ending: Option<EndingWhy>,
    pub(crate) clock: Option<Clock>,
    pub(crate) next_seq: Seq,
    pub(crate) last_question: u32,
    pub(crate) last_at: Timestamp,
}

/// The run's life, without what pause and ending add to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not opened yet.
    New,
    /// Work may start.
    Live,
    /// Nothing new starts; the grace runs, or has run out.
    Suspending,
    /// At rest.
    Suspended,
    /// Over.
    Ended(RunEnd),
}

impl Machine {
    pub(crate) fn new(graph: TaskGraph, policy: Policy) -> Self {
        let links = graph.links();
        let weight =
            zeph_graph::bottom_levels(&graph, &links, |id| zeph_graph::expected_ms(&graph, id));
        let tasks = graph.len();
        let waiting: Vec<u32> = graph
            .ids()
            .map(|id| graph.parents(id).len() as u32)
            .collect();
        Self {
            links,
            traits: graph.tasks().map(|(_, task)| Traits::of(task)).collect(),
            state: vec![TaskState::Pending; tasks],
            waiting,
            attempts: vec![0; tasks],
            tally: BTreeMap::new(),
            clocks: BTreeMap::new(),
            questions: BTreeMap::new(),
            purse: Purse::new(policy.budget),
            ready: Ready::new(&graph, weight),
            timers: Timers::default(),
            // A graph holds fewer tasks than a u32 counts.
            counts: Counts {
                pending: tasks as u32,
                ..Counts::default()
            },
            run: Run {
                phase: Phase::New,
                paused: false,
                ending: None,
                clock: policy.run_timeout.map(Clock::stopped),
                next_seq: Seq::FIRST,
                last_question: 0,
                last_at: Timestamp::ZERO,
            },
            now: Timestamp::ZERO,
            pending: Vec::new(),
            actions: Vec::new(),
            spread: VecDeque::new(),
            quota: u32::MAX,
            dormant: false,
            graph,
            policy,
        }
    }

    pub(crate) fn state(&self, task: TaskId) -> TaskState {
        self.state[task.index()]
    }

    pub(crate) fn tally(&self, task: TaskId) -> Tally {
        self.tally.get(&task).copied().unwrap_or_default()
    }

    pub(crate) fn effect(&self, task: TaskId) -> Effect {
        self.graph.task(task).rules().effect
    }

    /// The attempt that the next start will be.
    pub(crate) fn next_attempt(&self, task: TaskId) -> Attempt {
        match Attempt::new(self.attempts[task.index()]) {
            Some(last) => last.next(),
            None => Attempt::FIRST,
        }
    }

    /// Whether tasks may start, slots and lanes apart.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.run.phase, Phase::Live)
            && self.run.ending.is_none()
            && !self.run.paused
            && !self.dormant
    }

    /// Makes a decision: applies it at once and keeps it for the next batch.
    pub(crate) fn record(&mut self, record: Record) {
        let entry = Entry {
            seq: self.run.next_seq,
            at: self.now,
            record,
        };
        debug_assert!(
            self.admits(&record),
            "{record:?} in {:?}",
            record.task().map(|t| self.state(t))
        );
        self.apply(&entry);
        self.pending.push(entry);
    }
}
