//! State of the scheduler: one array per hot field, ordered maps for fields that few tasks have.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use zeph_graph::{
    AskWhy, Attempt, ContentId, Effect, EndingWhy, Entry, Links, ManualEnd, Output, Policy,
    QuestionId, Record, RunEnd, Seq, Task, TaskGraph, TaskId, TaskState, Timestamp, Trigger, Work,
};

use crate::batch::Action;
use crate::budget_ledger::BudgetLedger;
use crate::items::Items;
use crate::prepare::Reused;
use crate::ready::Ready;
use crate::timers::{Clock, Timers};

/// What a task waits for: the number of parents that have not ended, and how the other ones ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting(u32);

impl Waiting {
    /// A parent has its result.
    pub(crate) const COMPLETED: u32 = 1 << 29;
    /// A parent failed or was canceled.
    pub(crate) const FAILED: u32 = 1 << 30;
    /// A parent was skipped.
    pub(crate) const SKIPPED: u32 = 1 << 31;
    const OPEN: u32 = Self::COMPLETED - 1;

    /// A task with that many parents, all of which are open. A graph holds fewer tasks than `OPEN`.
    pub(crate) const fn new(parents: usize) -> Self {
        Self(parents as u32)
    }

    /// The number of parents that have not ended.
    pub(crate) const fn open(self) -> u32 {
        self.0 & Self::OPEN
    }

    /// Whether a parent ended in one of these ways.
    pub(crate) const fn any(self, ends: u32) -> bool {
        self.0 & ends != 0
    }

    /// Counts a parent that ended in this state.
    pub(crate) const fn parent_ended(&mut self, state: TaskState) {
        debug_assert!(self.open() > 0 && state.is_end(), "no parent has ended");
        let end = match state {
            TaskState::Completed { .. } => Self::COMPLETED,
            TaskState::Skipped { .. } => Self::SKIPPED,
            TaskState::Failed { .. }
            | TaskState::Canceled { .. }
            | TaskState::Pending
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::BackingOff { .. }
            | TaskState::Asking { .. }
            | TaskState::Mapping
            | TaskState::FallingBack { .. }
            | TaskState::Canceling { .. } => Self::FAILED,
        };
        self.0 = (self.0 - 1) | end;
    }
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) graph: TaskGraph,
    pub(crate) links: Links,
    pub(crate) policy: Policy,

    // Per task.
    pub(crate) flags: Vec<TaskFlags>,
    pub(crate) state: Vec<TaskState>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) attempts: Vec<u32>,

    // Fields that few tasks have.
    pub(crate) attempt_counts: BTreeMap<TaskId, AttemptCounts>,
    pub(crate) clocks: BTreeMap<TaskId, Clock>,
    pub(crate) questions: BTreeMap<QuestionId, OpenQuestion>,
    pub(crate) ledger: BudgetLedger,
    // The tasks whose trigger has fired and of which the driver has not said whether they run.
    pub(crate) preparing: BTreeSet<TaskId>,
    // The tasks that do not run according to their preparation, also those that have ended.
    pub(crate) unprepared: BTreeSet<TaskId>,
    /// The tasks that have a result without an attempt, because it was cached or their inputs are the same.
    pub(crate) reused: BTreeMap<TaskId, Reused>,
    // The ends that persons gave, also of tasks that have ended.
    pub(crate) overrides: BTreeMap<TaskId, ManualEnd>,
    // The tasks with accepted patches, and the numbers of the tasks that each patch added.
    pub(crate) proposers: BTreeMap<TaskId, Vec<Range<u32>>>,
    // The accepted patches, also those of persons.
    pub(crate) amendments: u32,
    // The items of each expanded task.
    pub(crate) items: BTreeMap<TaskId, Items>,

    pub(crate) ready: Ready,
    pub(crate) timers: Timers,
    pub(crate) counts: Counts,
    // The number of unfinished tasks other than finalizers.
    pub(crate) open_work: u32,
    pub(crate) run: Run,

    // Decisions that no batch has taken yet.
    pub(crate) now: Timestamp,
    pub(crate) pending: Vec<Entry>,
    pub(crate) actions: Vec<Action>,
    // Tasks that have ended and whose dependents have not been evaluated yet.
    pub(crate) ended: VecDeque<TaskId>,
    // Items that have ended and that their tasks have not considered yet.
    pub(crate) ended_items: VecDeque<TaskId>,
    // Finalizers that have not been evaluated, because other work is open.
    pub(crate) finalizers: Vec<TaskId>,
    pub(crate) quota: Option<u32>,
    // Results of an earlier run, until the start.
    pub(crate) supplied: BTreeMap<TaskId, Output>,
    // Lists of an earlier run with their lengths, until the start.
    pub(crate) supplied_items: BTreeMap<TaskId, (ContentId, u32)>,
    // Recovered from a journal and not resumed: attempts that were in flight have an unknown end.
    pub(crate) awaiting_resume: bool,
}

/// The properties of a task that the hot path reads, copied out of its definition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskFlags {
    pub(crate) trigger: Trigger,
    pub(crate) finally: bool,
    pub(crate) kind: Kind,
    pub(crate) approve: bool,
    pub(crate) prepare: bool,
    /// Whether the task has an attempt or a task time-out.
    pub(crate) timed: bool,
}

/// The kind of a task's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Milestone,
    Action,
    Question,
}

impl TaskFlags {
    pub(crate) fn of(task: &Task) -> Self {
        let rules = task.rules();
        Self {
            trigger: rules.trigger,
            finally: rules.finally,
            kind: match task.work() {
                Work::Milestone => Kind::Milestone,
                Work::Action { .. } => Kind::Action,
                Work::Question(_) => Kind::Question,
            },
            approve: rules.approve.is_some(),
            prepare: rules.prepare.is_some(),
            timed: rules.attempt_timeout.is_some() || rules.task_timeout.is_some(),
        }
    }
}

/// Counts of a task's failed, repeated and abandoned attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// Failed attempts. They count against the retry limit.
    pub failures: u32,
    /// Attempts that a person requested by answering "retry".
    pub manual_retries: u32,
    /// Attempts that were lost or stopped by a suspension. They cost no retry.
    pub restarts: u32,
    /// Attempts that did not end within the grace period.
    pub abandoned: u32,
}

/// An open question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenQuestion {
    /// The number of the question.
    pub id: QuestionId,
    /// The task that waits for the answer.
    pub task: TaskId,
    /// What the question is about.
    pub why: AskWhy,
    /// When it was asked.
    pub since: Timestamp,
}

/// The number of tasks in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub pending: u32,
    pub ready: u32,
    pub running: u32,
    pub backing_off: u32,
    pub asking: u32,
    pub mapping: u32,
    pub falling_back: u32,
    pub canceling: u32,
    pub completed: u32,
    pub failed: u32,
    pub skipped: u32,
    pub canceled: u32,
    /// Completed tasks with a substitute value in place of the result of a failed attempt.
    pub substituted: u32,
    /// Completed tasks with the result of their fallback.
    pub by_fallback: u32,
    /// Completed tasks whose result was found in the cache.
    pub cached: u32,
    /// Completed tasks that kept their result because their inputs are the same as in the run that this run retries.
    pub same_inputs: u32,
}

impl Counts {
    pub(crate) const fn of(&mut self, state: TaskState) -> &mut u32 {
        match state {
            TaskState::Pending => &mut self.pending,
            TaskState::Ready => &mut self.ready,
            TaskState::Running { .. } => &mut self.running,
            TaskState::BackingOff { .. } => &mut self.backing_off,
            TaskState::Asking { .. } => &mut self.asking,
            TaskState::Mapping => &mut self.mapping,
            TaskState::FallingBack { .. } => &mut self.falling_back,
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
            ("mapping", self.mapping),
            ("falling_back", self.falling_back),
            ("ready", self.ready),
            ("pending", self.pending),
        ]
        .into_iter()
    }

    /// Tasks in a terminal state.
    #[must_use]
    pub const fn ended(&self) -> u32 {
        self.completed + self.failed + self.skipped + self.canceled
    }

    /// Attempts in flight, including those that are being stopped.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.running + self.canceling
    }

    /// All tasks.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.ended()
            + self.in_flight()
            + self.pending
            + self.ready
            + self.backing_off
            + self.asking
            + self.mapping
            + self.falling_back
    }
}

/// The state of the run as a whole.
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

/// The phase of a run. Pause and ending are separate flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not started.
    New,
    /// Work may start.
    Live,
    /// Nothing new starts; the grace period runs or has passed.
    Suspending,
    /// Suspended; nothing is in flight.
    Suspended,
    /// Ended.
    Ended(RunEnd),
}

impl Machine {
    pub(crate) fn new(graph: TaskGraph, policy: Policy) -> Self {
        let links = graph.links();
        let weight =
            zeph_graph::bottom_levels(&graph, &links, 0, |id| zeph_graph::expected_ms(&graph, id));
        let tasks = graph.len();
        let waiting = graph.ids().map(|id| Waiting::new(graph.parents(id).len()));
        let waiting = waiting.collect();
        let flags: Vec<TaskFlags> = graph.tasks().map(|(_, task)| TaskFlags::of(task)).collect();
        let is_finalizer = |id: &TaskId| flags[id.index()].finally;
        let finalizers: Vec<TaskId> = graph.ids().filter(is_finalizer).collect();
        Self {
            links,
            flags,
            state: vec![TaskState::Pending; tasks],
            waiting,
            attempts: vec![0; tasks],
            attempt_counts: BTreeMap::new(),
            clocks: BTreeMap::new(),
            questions: BTreeMap::new(),
            ledger: BudgetLedger::new(policy.budget),
            preparing: BTreeSet::new(),
            unprepared: BTreeSet::new(),
            reused: BTreeMap::new(),
            overrides: BTreeMap::new(),
            proposers: BTreeMap::new(),
            amendments: 0,
            items: BTreeMap::new(),
            ready: Ready::new(&graph, weight),
            timers: Timers::default(),
            // A graph holds fewer tasks than a u32 counts.
            counts: Counts {
                pending: tasks as u32,
                ..Counts::default()
            },
            open_work: (tasks - finalizers.len()) as u32,
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
            ended: VecDeque::new(),
            ended_items: VecDeque::new(),
            finalizers,
            quota: None,
            supplied: BTreeMap::new(),
            supplied_items: BTreeMap::new(),
            awaiting_resume: false,
            graph,
            policy,
        }
    }

    pub(crate) fn state(&self, task: TaskId) -> TaskState {
        self.state[task.index()]
    }

    pub(crate) fn attempt_counts(&self, task: TaskId) -> AttemptCounts {
        self.attempt_counts.get(&task).copied().unwrap_or_default()
    }

    /// The effect class of an attempt. The list of items is made, and their results are collected, without
    /// an effect.
    pub(crate) fn effect(&self, task: TaskId) -> Effect {
        let rules = self.graph.task(task).rules();
        match rules.foreach {
            Some(_) => Effect::Pure,
            None => rules.effect,
        }
    }

    /// The number of the next attempt.
    pub(crate) fn next_attempt(&self, task: TaskId) -> Attempt {
        match Attempt::new(self.attempts[task.index()]) {
            Some(last) => last.next(),
            None => Attempt::FIRST,
        }
    }

    /// Whether the task is a finalizer.
    pub(crate) fn is_finalizer(&self, task: TaskId) -> bool {
        self.flags[task.index()].finally
    }

    /// Whether running work is stopped for the end of the run. Finalizers come after that.
    pub(crate) fn is_winding_down(&self) -> bool {
        self.run.ending.is_some() && self.open_work > 0
    }

    /// Whether the run may start tasks, apart from slots and lanes.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.run.phase, Phase::Live)
            && !self.is_winding_down()
            && !self.run.paused
            && !self.awaiting_resume
    }

    /// Records a decision: applies it at once and adds it to the next batch.
    pub(crate) fn record(&mut self, record: Record) {
        let entry = Entry {
            seq: self.run.next_seq,
            at: self.now,
            record,
        };
        debug_assert!(
            self.allows(&record),
            "{record:?} in {:?}",
            record.task().map(|t| self.state(t))
        );
        self.apply(&entry);
        self.pending.push(entry);
    }
}
