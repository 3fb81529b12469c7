//! Scheduler: the contract. Inputs in, batches out, actions only for what is saved.

use zeph_graph::{
    Attempt, Header, Policy, RunEnd, RunState, Seq, TaskGraph, TaskId, TaskState, Timestamp,
};

use crate::batch::{Action, Batch};
use crate::input::{Input, InputOutcome};
use crate::machine::{Counts, Machine, OpenQuestion, Phase, Tally};
use crate::outcome::Failure;

/// The pure scheduling machine of one run.
///
/// The driver tells it what happened ([`handle`](Self::handle)), saves the decisions it hands out
/// ([`step`](Self::step)), and performs the actions that it gets for them
/// ([`saved`](Self::saved)). If a save fails, the machine is dropped and rebuilt from the journal by
/// [`recover`](Self::recover); it is never rolled back.
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
    pub(crate) machine: Machine,
    in_flight: bool,
}

impl Scheduler {
    /// A machine for a new run. Never fails: a graph is valid by construction.
    ///
    /// Cost: one pass over tasks and dependencies.
    #[must_use]
    pub fn new(graph: TaskGraph, policy: Policy) -> Self {
        Self {
            machine: Machine::new(graph, policy),
            in_flight: false,
        }
    }

    pub(crate) fn of_header(header: Header) -> Self {
        Self::new(header.graph, header.policy)
    }

    /// Takes what happened into account.
    ///
    /// Any order, any repetition: what is stale changes nothing and says so. `now` before an earlier
    /// `now` counts as that one. What is reported is applied before the timers that are due at `now`,
    /// so a result beats a time-out that nobody has noticed yet. In a machine that was recovered time
    /// stands still until [`Input::Resume`], so that no clock is charged for the time in between.
    ///
    /// Cost: the number of dependants of the task concerned, plus a logarithm of the live timers;
    /// cancelling or resuming a run costs a pass over its tasks.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> InputOutcome {
        let resumes = matches!(input, Input::Resume);
        self.during(now, resumes, |machine| machine.receive(input))
    }

    /// Lets something happen at that time, and then what follows from it and from the time.
    pub(crate) fn during<T>(
        &mut self,
        now: Timestamp,
        resumes: bool,
        happen: impl FnOnce(&mut Machine) -> T,
    ) -> T {
        let machine = &mut self.machine;
        if resumes || machine.time_passes() {
            machine.now = machine.now.max(now);
        }
        let outcome = happen(machine);
        machine.spread();
        machine.fire_timers();
        machine.come_to_rest();
        outcome
    }

    /// Starts what may start, and hands out the decisions that are not saved yet.
    ///
    /// `None` if there are none, or while an earlier batch has not come back: the next one gathers
    /// meanwhile. A start carries the time of the last [`handle`](Self::handle): after a wait for the
    /// disk, or for slots of another run, tick first, or the wait is charged to the attempt's time-out.
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

    /// The batch is saved: what is to be done now. The only way to the actions.
    pub fn saved(&mut self, batch: Batch) -> Vec<Action> {
        self.in_flight = false;
        batch.actions
    }

    /// When [`Input::Tick`] is due at the latest. Exact: a live timer, or `None`.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let machine = &self.machine;
        let asleep = machine.dormant
            || matches!(
                machine.run.phase,
                Phase::New | Phase::Suspended | Phase::Ended(_)
            );
        if asleep {
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

    /// The limits.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.machine.policy
    }

    /// A task, to be asked for its state.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn task(&self, id: TaskId) -> TaskView<'_> {
        assert!(
            self.machine.graph.contains(id),
            "{id} is not a task of this graph"
        );
        TaskView {
            machine: &self.machine,
            id,
        }
    }

    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.machine.run_state()
    }

    /// How the run ended, once it has.
    #[must_use]
    pub const fn end(&self) -> Option<RunEnd> {
        match self.machine.run.phase {
            Phase::Ended(end) => Some(end),
            Phase::New | Phase::Live | Phase::Suspending | Phase::Suspended => None,
        }
    }

    /// How many tasks stand in each state. Constant time.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.machine.counts
    }

    /// The open questions, oldest first.
    pub fn questions(&self) -> impl Iterator<Item = OpenQuestion> + '_ {
        self.machine.questions.values().copied()
    }

    /// Whether there are decisions that no batch has taken yet. Constant time.
    ///
    /// A batch that is being saved does not count, nor does a task that could start: its start is
    /// decided by [`step`](Self::step).
    #[must_use]
    pub const fn has_unsaved(&self) -> bool {
        !self.machine.pending.is_empty()
    }

    /// The number of the next record.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        self.machine.run.next_seq
    }

    /// How many more attempts this run would start at once if it had that many slots.
    #[must_use]
    pub fn wanted(&self) -> u32 {
        if self.machine.is_open() {
            self.machine.counts.ready
        } else {
            0
        }
    }
}

impl Machine {
    /// Whether the clock may be read. A fold cannot tell when the process was away, so that what a
    /// recovered machine is told before it resumes carries the date of the last record.
    fn time_passes(&self) -> bool {
        !self.dormant || self.run.phase == Phase::New
    }

    fn receive(&mut self, input: Input) -> InputOutcome {
        if self.run.phase == Phase::New
            && !matches!(input, Input::Start | Input::Resume | Input::Quota(_))
        {
            return InputOutcome::Stale;
        }
        if matches!(self.run.phase, Phase::Ended(_)) {
            return InputOutcome::Stale;
        }
        match input {
            Input::Start => self.on_start(),
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
            Input::Lost { task, attempt } => self.on_lost(task, attempt),
            Input::Answered { question, answer } => self.on_answered(question, answer),
            Input::Cancel(scope) => self.on_cancel(scope),
            Input::Pause => self.on_pause(true),
            Input::Unpause => self.on_pause(false),
            Input::Suspend => self.on_suspend(),
            Input::Resume => self.on_resume(),
            Input::Budget(budget) => self.on_budget(budget),
            Input::Quota(slots) => {
                self.quota = slots;
                InputOutcome::Accepted
            }
            Input::Tick => InputOutcome::Accepted,
        }
    }
}

/// A task of a run, as it stands now.
#[derive(Clone, Copy, Debug)]
pub struct TaskView<'a> {
    machine: &'a Machine,
    id: TaskId,
}

impl TaskView<'_> {
    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.machine.state(self.id)
    }

    /// The last attempt that was started, if there was one.
    #[must_use]
    pub fn last_attempt(&self) -> Option<Attempt> {
        Attempt::new(self.machine.attempts[self.id.index()])
    }

    /// What has gone wrong with it so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.machine.tally(self.id)
    }
}
