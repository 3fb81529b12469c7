//! Doors: what an attempt may write into its run's journal while it runs: spending, notes, growth.

use std::collections::{BTreeMap, BTreeSet};

use zeph_graph::wire::{Diagnostics, GraphSpec};
use zeph_graph::{
    Attempt, Budget, ContentId, Record, ReservationId, Spend, Spent, TaskId, TaskState, Timestamp,
};

use crate::Scheduler;
use crate::input::InputOutcome;
use crate::machine::Machine;

/// Why a reservation was refused. Nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The attempt is no longer the current one of its task, or the run is over.
    #[error("the attempt is over")]
    Stale,
    /// A budget does not cover it.
    #[error("the budget does not cover it: {left} left")]
    OverBudget {
        /// What the budgets of the run and of the task leave.
        left: Budget,
    },
}

/// What became of a patch that was in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amendment {
    /// The graph has grown.
    Added {
        /// The first new task; the others follow it.
        first: TaskId,
        /// How many there are.
        tasks: u32,
    },
    /// The task has had a patch accepted before; nothing has changed.
    Already,
    /// The attempt does not run (any more), or the run is coming to its end; nothing has changed.
    Stale,
}

/// The patches of a run by the numbers of their contents: what [`Scheduler::recover`] reads besides
/// header and journal.
pub type Patches = BTreeMap<ContentId, GraphSpec>;

/// What a run, or a task of it, has spent and holds reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Spent: settled, or reserved by an attempt that ended without a word about it.
    pub spent: Spent,
    /// Reserved by attempts that run, and not settled yet.
    pub reserved: Spent,
}

impl Account {
    /// Both together: what a budget has to cover.
    #[must_use]
    pub const fn held(self) -> Spent {
        self.spent.and(self.reserved)
    }

    const fn reserve(&mut self, most: Spend) {
        self.reserved = self.reserved.plus(most);
    }

    fn settle(&mut self, most: Spend, spent: Spend) {
        self.reserved = self.reserved.minus(most);
        self.spent = self.spent.plus(spent);
    }
}

/// The money side of a machine, and who has proposed what.
#[derive(Debug)]
pub(crate) struct Purse {
    pub(crate) budget: Budget,
    pub(crate) run: Account,
    // Of the tasks that have reserved something.
    pub(crate) tasks: BTreeMap<TaskId, Account>,
    // By task, since an attempt that ends takes its reservations with it.
    pub(crate) open: BTreeMap<(TaskId, ReservationId), Spend>,
    pub(crate) last: u32,
    pub(crate) proposers: BTreeSet<TaskId>,
}

impl Purse {
    pub(crate) const fn new(budget: Budget) -> Self {
        const NOTHING: Account = Account {
            spent: Spent {
                tokens: 0,
                micro_usd: 0,
            },
            reserved: Spent {
                tokens: 0,
                micro_usd: 0,
            },
        };
        Self {
            budget,
            run: NOTHING,
            tasks: BTreeMap::new(),
            open: BTreeMap::new(),
            last: 0,
            proposers: BTreeSet::new(),
        }
    }

    pub(crate) fn reserve(&mut self, task: TaskId, reservation: ReservationId, most: Spend) {
        self.last = reservation.get();
        self.open.insert((task, reservation), most);
        self.run.reserve(most);
        self.tasks.entry(task).or_default().reserve(most);
    }

    pub(crate) fn settle(&mut self, task: TaskId, reservation: ReservationId, spent: Spend) {
        let Some(most) = self.open.remove(&(task, reservation)) else {
            return;
        };
        self.run.settle(most, spent);
        self.tasks.entry(task).or_default().settle(most, spent);
    }

    /// The attempt is over: nobody will say what its open reservations have spent, so it is all.
    pub(crate) fn close(&mut self, task: TaskId) {
        if self.open.is_empty() {
            return;
        }
        let last = ReservationId::from(std::num::NonZeroU32::MAX);
        let of_task = (task, ReservationId::FIRST)..=(task, last);
        while let Some((&(_, reservation), &most)) = self.open.range(of_task.clone()).next() {
            self.settle(task, reservation, most);
        }
    }

    fn account(&self, task: TaskId) -> Account {
        self.tasks.get(&task).copied().unwrap_or_default()
    }
}

impl Scheduler {
    /// Takes the most that a call may cost out of the budgets of the run and of the task.
    ///
    /// The reservation belongs to the attempt: when it ends, what is not [settled](Self::settle) has
    /// been spent in full. A call waits until the batch with the reservation is saved. Cost: a
    /// logarithm.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::{Attempt, Budget, Policy, Spend, Task, TaskGraph, Timestamp};
    /// use zeph_scheduler::{Input, InputOutcome, Refusal, Scheduler};
    /// let mut graph = TaskGraph::new();
    /// let ask = graph.add_task(Task::new("ask").action("model"), []);
    /// let budget = Budget::of_tokens(1_000);
    /// let mut scheduler = Scheduler::new(graph, Policy { budget, ..Policy::default() });
    /// scheduler.handle(Timestamp::ZERO, Input::Start);
    /// let batch = scheduler.step().expect("the task starts");
    /// drop(scheduler.saved(batch));
    ///
    /// let (now, most) = (Timestamp::ZERO, Spend { tokens: 800, micro_usd: 0 });
    /// let first = scheduler.reserve(now, ask, Attempt::FIRST, most)?;
    /// let left = Budget::of_tokens(200);
    /// let second = scheduler.reserve(now, ask, Attempt::FIRST, most);
    /// assert_eq!(second, Err(Refusal::OverBudget { left }));
    ///
    /// let spent = Spend { tokens: 150, micro_usd: 0 };
    /// assert_eq!(scheduler.settle(now, ask, Attempt::FIRST, first, spent), InputOutcome::Accepted);
    /// assert_eq!(scheduler.left(ask).tokens(), Some(850));
    /// # Ok::<(), Refusal>(())
    /// ```
    pub fn reserve(
        &mut self,
        now: Timestamp,
        task: TaskId,
        attempt: Attempt,
        most: Spend,
    ) -> Result<ReservationId, Refusal> {
        self.during(now, false, |machine| {
            machine.on_reserve(task, attempt, most)
        })
    }

    /// Says what a reservation has spent, and gives the rest back.
    ///
    /// More than was reserved is taken as it is. [`InputOutcome::Stale`] if the attempt is over or the
    /// reservation is not an open one of it. Cost: a logarithm.
    pub fn settle(
        &mut self,
        now: Timestamp,
        task: TaskId,
        attempt: Attempt,
        reservation: ReservationId,
        spent: Spend,
    ) -> InputOutcome {
        self.during(now, false, |machine| {
            machine.on_settle(task, attempt, reservation, spent)
        })
    }

    /// Keeps a content as a note about the attempt. [`InputOutcome::Stale`] if the attempt is over.
    pub fn note(
        &mut self,
        now: Timestamp,
        task: TaskId,
        attempt: Attempt,
        content: ContentId,
    ) -> InputOutcome {
        self.during(now, false, |machine| {
            machine.on_note(task, attempt, content)
        })
    }

    /// Adds the tasks of a patch to the graph, whole or not at all: see
    /// [`TaskGraph::extend`](zeph_graph::TaskGraph::extend).
    ///
    /// `content` is where the driver keeps the patch; [`recover`](Self::recover) asks for it. A task
    /// has one patch accepted, whichever of its attempts proposes it. Parents that have ended count at
    /// once, so a new task may start, or be skipped, in the same batch.
    ///
    /// Cost: the size of the patch, and the lanes of the graph, over the life of the run.
    ///
    /// # Errors
    /// All that is wrong with the patch; nothing has changed.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::wire::GraphSpec;
    /// use zeph_graph::{Attempt, ContentId, Policy, Task, TaskGraph, Timestamp};
    /// use zeph_scheduler::{Amendment, Input, Scheduler};
    /// let mut graph = TaskGraph::new();
    /// let plan = graph.add_task(Task::new("plan").action("model"), []);
    /// let mut scheduler = Scheduler::new(graph, Policy::default());
    /// scheduler.handle(Timestamp::ZERO, Input::Start);
    /// let batch = scheduler.step().expect("the task starts");
    /// drop(scheduler.saved(batch));
    ///
    /// let patch = GraphSpec::from_json(
    ///     r#"{"version":1,"tasks":[{"name":"look","needs":["plan"]}]}"#,
    /// )?;
    /// let (now, content) = (Timestamp::ZERO, ContentId::FIRST);
    /// let grown = scheduler.amend(now, plan, Attempt::FIRST, content, &patch)?;
    /// assert!(matches!(grown, Amendment::Added { tasks: 1, .. }));
    /// let again = scheduler.amend(now, plan, Attempt::FIRST, content.next(), &patch)?;
    /// assert_eq!(again, Amendment::Already);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn amend(
        &mut self,
        now: Timestamp,
        task: TaskId,
        attempt: Attempt,
        content: ContentId,
        patch: &GraphSpec,
    ) -> Result<Amendment, Diagnostics> {
        self.during(now, false, |machine| {
            machine.on_amend(task, attempt, content, patch)
        })
    }

    /// What the budgets of the run and of the task leave for this task, reservations taken off.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn left(&self, task: TaskId) -> Budget {
        assert!(
            self.machine.graph.contains(task),
            "{task} is not a task of this graph"
        );
        self.machine.left(task)
    }

    /// The run's budget, as it is now.
    #[must_use]
    pub const fn budget(&self) -> Budget {
        self.machine.purse.budget
    }

    /// What the run has spent. Constant time.
    #[must_use]
    pub const fn spent(&self) -> Spent {
        self.machine.purse.run.spent
    }

    /// What attempts that run hold reserved. Constant time.
    #[must_use]
    pub const fn reserved(&self) -> Spent {
        self.machine.purse.run.reserved
    }

    /// What all attempts of a task have spent. Cost: a logarithm.
    #[must_use]
    pub fn spent_by(&self, task: TaskId) -> Spent {
        self.machine.purse.account(task).spent
    }
}

impl Machine {
    fn left(&self, task: TaskId) -> Budget {
        let of_run = self.purse.budget.without(self.purse.run.held());
        let own = self.graph.task(task).rules().budget;
        of_run.min(own.without(self.purse.account(task).held()))
    }

    fn on_reserve(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        most: Spend,
    ) -> Result<ReservationId, Refusal> {
        // In a machine that waits for its resumption the attempt is as good as lost.
        if self.current(task, attempt).is_none() || self.dormant {
            return Err(Refusal::Stale);
        }
        let own = self.graph.task(task).rules().budget;
        let covered = self.purse.budget.covers(self.purse.run.held().plus(most))
            && own.covers(self.purse.account(task).held().plus(most));
        if !covered {
            let left = self.left(task);
            return Err(Refusal::OverBudget { left });
        }
        let reservation =
            ReservationId::new(self.purse.last).map_or(ReservationId::FIRST, ReservationId::next);
        self.record(Record::Reserved {
            task,
            reservation,
            most,
        });
        Ok(reservation)
    }

    fn on_settle(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        reservation: ReservationId,
        spent: Spend,
    ) -> InputOutcome {
        let open = self.purse.open.contains_key(&(task, reservation));
        if self.current(task, attempt).is_none() || !open {
            return InputOutcome::Stale;
        }
        self.record(Record::Settled {
            task,
            reservation,
            spent,
        });
        InputOutcome::Accepted
    }

    fn on_note(&mut self, task: TaskId, attempt: Attempt, content: ContentId) -> InputOutcome {
        if self.current(task, attempt).is_none() {
            return InputOutcome::Stale;
        }
        self.record(Record::Noted {
            task,
            attempt,
            content,
        });
        InputOutcome::Accepted
    }

    fn on_amend(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        content: ContentId,
        patch: &GraphSpec,
    ) -> Result<Amendment, Diagnostics> {
        let state = self.state.get(task.index()).copied();
        let running = matches!(state, Some(TaskState::Running { attempt: a, .. }) if a == attempt);
        if !running || self.dormant || self.run.ending.is_some() {
            return Ok(Amendment::Stale);
        }
        if self.purse.proposers.contains(&task) {
            return Ok(Amendment::Already);
        }
        let new = self.graph.extend(patch)?;
        self.record(Record::Amended { task, content });
        for index in new.clone() {
            self.consider(TaskId::from_index(index));
        }
        Ok(Amendment::Added {
            first: TaskId::from_index(new.start),
            tasks: new.end - new.start,
        })
    }

    /// Somebody set the run's budget anew.
    pub(crate) fn on_budget(&mut self, budget: Budget) -> InputOutcome {
        if budget == self.purse.budget {
            return InputOutcome::Stale;
        }
        self.record(Record::Budgeted { budget });
        InputOutcome::Accepted
    }
}
