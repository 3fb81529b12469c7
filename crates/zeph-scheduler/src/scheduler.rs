//! Scheduler: the public contract. Inputs in, batches out, actions only for saved batches.

use std::time::Duration;

use zeph_graph::{
    Answer, Attempt, Entry, Header, LaneId, ManualEnd, Policy, QuestionId, RunEnd, RunState, Seq,
    TaskGraph, TaskId, TaskState, Timestamp,
};

use crate::batch::{Action, Batch};
use crate::input::{Input, InputOutcome};
use crate::items::Items;
use crate::machine::{AttemptCounts, Counts, Machine, OpenQuestion, Phase};
use crate::outcome::Failure;
use crate::prepare::Reused;

/// The sans-IO scheduler of one run.
///
/// The driver reports events ([`handle`](Self::handle)), saves the decisions ([`step`](Self::step)), and
/// performs the actions that it gets in return ([`saved`](Self::saved)). If a save fails, the driver drops
/// the scheduler and rebuilds it from the journal ([`recover`](Self::recover)); there is no rollback.
///
/// # Examples
/// ```
/// use zeph_graph::{Attempt, Policy, RunEnd, Task, TaskGraph, Timestamp};
/// use zeph_scheduler::{Action, Input, Scheduler};
///
/// let mut graph = TaskGraph::new();
/// let hello = graph.add_task(Task::new("hello").action("print"), []);
/// let mut scheduler = Scheduler::new(graph, Policy::default());
///
/// scheduler.handle(Timestamp::ZERO, Input::Start);
/// let batch = scheduler.step().expect("the start is a decision");
/// // Here a driver saves `batch.entries()`.
/// let actions = scheduler.saved(batch);
/// assert_eq!(actions, [Action::Start { task: hello, attempt: Attempt::FIRST }]);
///
/// let done = Input::Completed { task: hello, attempt: Attempt::FIRST, output: None, log: None };
/// scheduler.handle(Timestamp::from_micros(5), done);
/// let batch = scheduler.step().expect("the end is a decision");
/// assert_eq!(scheduler.saved(batch), [Action::Ended(RunEnd::Completed)]);
/// ```
#[derive(Debug)]
pub struct Scheduler {
    // Boxed, because drivers and readers pass a scheduler through futures on small stacks.
    pub(crate) machine: Box<Machine>,
    in_flight: bool,
}

impl Scheduler {
    /// A scheduler for a new run. Never fails: a graph is valid by construction.
    ///
    /// Cost: one pass over tasks and dependencies.
    #[must_use]
    pub fn new(graph: TaskGraph, policy: Policy) -> Self {
        Self {
            machine: Box::new(Machine::new(graph, policy)),
            in_flight: false,
        }
    }

    pub(crate) fn from_header(header: Header) -> Self {
        Self::new(header.graph, header.policy)
    }

    /// Applies an event, its consequences, and the timers that are due.
    ///
    /// Inputs may come in any order and repeatedly; a stale one changes nothing. A `now` before an earlier
    /// `now` counts as the earlier one. The input is applied before the timers that are due at `now`, so
    /// a result takes precedence over a time-out of the same moment. After a recovery the time does
    /// not advance until [`Input::Resume`], so that no clock runs while no process works on the run.
    ///
    /// Cost: the number of dependents of the task, plus a logarithm of the live timers; canceling or
    /// resuming a run costs a pass over its tasks.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> InputOutcome {
        let resumes = matches!(input, Input::Resume);
        self.handle_with(now, resumes, |machine| machine.dispatch_input(input))
    }

    /// Calls `event` at time `now`, then propagates its consequences and fires due timers.
    pub(crate) fn handle_with<T>(
        &mut self,
        now: Timestamp,
        resumes: bool,
        event: impl FnOnce(&mut Machine) -> T,
    ) -> T {
        let machine = &mut self.machine;
        if resumes || machine.clock_runs() {
            machine.now = machine.now.max(now);
        }
        let outcome = event(machine);
        machine.propagate();
        machine.fire_timers();
        machine.finish_if_idle();
        outcome
    }

    /// Starts ready tasks, and returns the decisions that are not saved yet.
    ///
    /// `None` if there are none, or until an earlier batch has been passed to [`saved`](Self::saved);
    /// decisions accumulate meanwhile. A start carries the time of the last [`handle`](Self::handle):
    /// after a wait, send [`Input::Tick`] first, or the wait counts towards the attempt's time-out.
    pub fn step(&mut self) -> Option<Batch> {
        if self.in_flight {
            return None;
        }
        let machine = &mut self.machine;
        machine.dispatch();
        if machine.pending.is_empty() {
            return None;
        }
        self.in_flight = true;
        let entries = std::mem::take(&mut machine.pending);
        let actions = std::mem::take(&mut machine.actions);
        Some(Batch { entries, actions })
    }

    /// Confirms that a batch is saved, and returns its actions. No other call returns them.
    pub fn saved(&mut self, batch: Batch) -> Vec<Action> {
        self.in_flight = false;
        batch.actions
    }

    /// When the driver must send [`Input::Tick`]: the time of the first live timer, or `None`.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let machine = &self.machine;
        let is_stopped = machine.awaiting_resume
            || matches!(
                machine.run.phase,
                Phase::New | Phase::Suspended | Phase::Ended(_)
            );
        if is_stopped {
            None
        } else {
            machine.timers.first().map(|(at, _)| at)
        }
    }

    /// The graph.
    #[must_use]
    pub const fn graph(&self) -> &TaskGraph {
        &self.machine.graph
    }

    /// The tasks that depend on this one.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    pub fn children(&self, id: TaskId) -> &[TaskId] {
        self.machine.links.children(id)
    }

    /// The items of an expanded task: how many there are, have not ended, and failed. Cost: a logarithm.
    #[must_use]
    pub fn items(&self, task: TaskId) -> Option<Items> {
        self.machine.items.get(&task).copied()
    }

    /// The policy of the run.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.machine.policy
    }

    /// A view of a task.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn task(&self, id: TaskId) -> TaskView<'_> {
        self.check_task(id);
        TaskView {
            machine: &self.machine,
            id,
        }
    }

    #[track_caller]
    pub(crate) fn check_task(&self, task: TaskId) {
        assert!(
            self.machine.graph.contains(task),
            "{task} is not a task of this graph"
        );
    }

    /// The state of the run.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.machine.run_state()
    }

    /// Whether nothing new starts until the run is unpaused, also while it is suspended.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.machine.run.paused
    }

    /// How the run ended, if it has.
    #[must_use]
    pub const fn end(&self) -> Option<RunEnd> {
        match self.machine.run.phase {
            Phase::Ended(end) => Some(end),
            Phase::New | Phase::Live | Phase::Suspending | Phase::Suspended => None,
        }
    }

    /// How the run ends if nothing else goes wrong: what a finalizer learns about the run.
    #[must_use]
    pub fn end_so_far(&self) -> RunEnd {
        self.machine.run_end()
    }

    /// The number of tasks in each state. Constant time.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.machine.counts
    }

    /// The open questions, oldest first.
    pub fn questions(&self) -> impl Iterator<Item = OpenQuestion> + '_ {
        self.machine.questions.values().copied()
    }

    /// How long an open question waits for an answer, and its default afterwards; `None` if it waits without
    /// a limit, or is closed.
    #[must_use]
    pub fn default_answer(&self, question: QuestionId) -> Option<(Duration, Answer)> {
        self.machine.default_answer(question)
    }

    /// Whether there are decisions that are in no batch yet. Constant time.
    ///
    /// Does not include the batch in flight, nor starts, which only [`step`](Self::step) decides.
    #[must_use]
    pub const fn has_unsaved(&self) -> bool {
        !self.machine.pending.is_empty()
    }

    /// The records that wait for the next batch.
    #[must_use]
    pub fn unsaved(&self) -> &[Entry] {
        &self.machine.pending
    }

    /// The number of the next record.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        self.machine.run.next_seq
    }

    /// Whether a task would start with the next step if [`Input::LaneQuota`] allowed more units of the lane.
    #[must_use]
    pub fn wants_lane(&self, lane: LaneId) -> bool {
        let machine = &self.machine;
        let has_slot = machine.is_open() && machine.counts.in_flight() < machine.slots();
        has_slot && machine.ready.wants(lane)
    }

    /// The units of a lane that attempts of this run occupy.
    ///
    /// # Panics
    /// If the lane is not one of the graph.
    #[must_use]
    pub fn lane_used(&self, lane: LaneId) -> u32 {
        self.machine.ready.lane_used()[lane.index()]
    }

    /// How many ready tasks this run has. With enough slots and room in lanes, all could start now.
    #[must_use]
    pub fn ready_count(&self) -> u32 {
        if self.machine.is_open() {
            self.machine.counts.ready
        } else {
            0
        }
    }
}

impl Machine {
    /// Whether time advances. Between a recovery and its resumption it does not: inputs carry the time of
    /// the last record.
    fn clock_runs(&self) -> bool {
        !self.awaiting_resume || self.run.phase == Phase::New
    }

    fn dispatch_input(&mut self, input: Input) -> InputOutcome {
        if self.run.phase == Phase::New
            && !matches!(
                input,
                Input::Supply { .. }
                    | Input::SupplyItems { .. }
                    | Input::Start
                    | Input::Resume
                    | Input::Quota(_)
                    | Input::LaneQuota { .. }
            )
        {
            return InputOutcome::Stale;
        }
        if matches!(self.run.phase, Phase::Ended(_)) {
            return InputOutcome::Stale;
        }
        match input {
            Input::Start => self.on_start(),
            Input::Supply { task, output } => self.on_supply(task, output),
            Input::SupplyItems { task, list, count } => self.on_supply_items(task, list, count),
            Input::Expanded {
                task,
                attempt,
                list,
                count,
            } => self.on_expanded(task, attempt, list, count),
            Input::Prepared { task, then } => self.on_prepared(task, then),
            Input::Completed {
                task,
                attempt,
                output,
                log,
            } => self.on_completed(task, attempt, output, log),
            Input::Failed {
                task,
                attempt,
                fault,
                error,
                log,
                retry_after,
            } => self.on_failed(
                task,
                attempt,
                Failure {
                    fault,
                    error,
                    log,
                    retry_after,
                },
            ),
            Input::Idle { task, attempt } => self.on_idle(task, attempt),
            Input::Lost { task, attempt } => self.on_lost(task, attempt),
            Input::Answered {
                question,
                answer,
                by,
            } => self.on_answered(question, answer, by),
            Input::Override { task, end, by } => self.on_override(task, end, by),
            Input::Cancel(scope) => self.on_cancel(scope),
            Input::Pause => self.on_pause(true),
            Input::Unpause => self.on_pause(false),
            Input::Suspend => self.on_suspend(),
            Input::Resume => self.on_resume(),
            Input::Budget(budget) => self.on_budget(budget),
            Input::Quota(slots) => {
                self.quota = Some(slots);
                InputOutcome::Accepted
            }
            Input::LaneQuota { lane, units } => {
                self.ready.allow(lane, units);
                InputOutcome::Accepted
            }
            Input::Tick => InputOutcome::Accepted,
        }
    }
}

/// A view of a task of a run.
#[derive(Clone, Copy, Debug)]
pub struct TaskView<'a> {
    machine: &'a Machine,
    id: TaskId,
}

impl TaskView<'_> {
    /// The state of the task.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.machine.state(self.id)
    }

    /// The last attempt that was started.
    #[must_use]
    pub fn last_attempt(&self) -> Option<Attempt> {
        Attempt::new(self.machine.attempts[self.id.index()])
    }

    /// Why the task completed without an attempt, if its result was cached or its inputs are the same as in the
    /// run that this run retries.
    #[must_use]
    pub fn reused(&self) -> Option<Reused> {
        self.machine.reused.get(&self.id).copied()
    }

    /// The end that a person gave the task, which it has or will have.
    #[must_use]
    pub fn manual_end(&self) -> Option<ManualEnd> {
        self.machine.overrides.get(&self.id).copied()
    }

    /// Counts of the failed, repeated and abandoned attempts.
    #[must_use]
    pub fn attempt_counts(&self) -> AttemptCounts {
        self.machine.attempt_counts(self.id)
    }
}
