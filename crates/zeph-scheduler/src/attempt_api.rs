//! Attempt API: spending and notes, which a running attempt writes into the journal of its run.
//!
//! These calls, and [`amend`](Scheduler::amend), are methods and not an [`Input`](crate::Input): each has
//! a reply type of its own, and a patch is neither `Copy` nor small. Like an input, each takes the time
//! and is followed by propagation and due timers, and each is repeated by a replay from its record.

use zeph_graph::{
    Attempt, Budget, ContentId, Record, ReservationId, Spend, Spent, TaskId, Timestamp,
};

use crate::Scheduler;
use crate::budget_ledger::BudgetFit;
use crate::input::InputOutcome;
use crate::machine::Machine;

/// Why a reservation was refused. Nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The attempt has ended, or the run has.
    #[error("the attempt has ended")]
    Stale,
    /// A budget does not cover the amount.
    #[error("the budget does not cover the call: {left} left")]
    OverBudget {
        /// The rest of the budgets of the run and of the task.
        left: Budget,
    },
}

impl Scheduler {
    /// Reserves the most that a call may cost from the budgets of the run and of the task.
    ///
    /// The reservation belongs to the attempt: when the attempt ends, a reservation that is not
    /// [settled](Self::settle) counts as spent in full. The caller must not make the call before the
    /// batch with the reservation is saved. Cost: a logarithm.
    ///
    /// # Errors
    /// [`Refusal`]. Nothing has changed.
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
        self.handle_with(now, false, |machine| {
            machine.on_reserve(task, attempt, most)
        })
    }

    /// Whether the budgets of the run and of the task cover a reservation of at most `most`, for a driver that
    /// lets calls wait. Nothing is decided or recorded; [`reserve`](Self::reserve) does that.
    ///
    /// `gives_back` says which open reservations will be settled although this one is not granted. While there
    /// is one that matters, `most` is waited for. Else the rest of the budgets is enough, if it covers `least`.
    /// Cost: the number of open reservations.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::{Budget, Policy, Spend, Task, TaskGraph};
    /// use zeph_scheduler::{BudgetFit, Scheduler};
    /// let mut graph = TaskGraph::new();
    /// let ask = graph.add_task(Task::new("ask").action("model"), []);
    /// let budget = Budget::of_tokens(1_000);
    /// let scheduler = Scheduler::new(graph, Policy { budget, ..Policy::default() });
    /// let tokens = |tokens| Spend { tokens, micro_usd: 0 };
    /// let fit = scheduler.budget_fit(ask, tokens(100), tokens(4_000), |_, _| true);
    /// assert_eq!(fit, BudgetFit::Covered(tokens(1_000)), "nothing is open that could give more");
    /// ```
    #[must_use]
    #[track_caller]
    pub fn budget_fit(
        &self,
        task: TaskId,
        least: Spend,
        most: Spend,
        gives_back: impl Fn(TaskId, ReservationId) -> bool,
    ) -> BudgetFit {
        self.check_task(task);
        let own = self.machine.graph.task(task).rules().budget;
        self.machine
            .ledger
            .fit(task, own, (least, most), gives_back)
    }

    /// Settles a reservation: records the amount spent and returns the rest to the budgets.
    ///
    /// An amount above the reservation is recorded as it is. [`InputOutcome::Stale`] if the attempt has
    /// ended or has no such open reservation. Cost: a logarithm.
    pub fn settle(
        &mut self,
        now: Timestamp,
        task: TaskId,
        attempt: Attempt,
        reservation: ReservationId,
        spent: Spend,
    ) -> InputOutcome {
        self.handle_with(now, false, |machine| {
            machine.on_settle(task, attempt, reservation, spent)
        })
    }

    /// Records a content as a note about the attempt. [`InputOutcome::Stale`] if the attempt has ended.
    pub fn note(
        &mut self,
        now: Timestamp,
        task: TaskId,
        attempt: Attempt,
        content: ContentId,
    ) -> InputOutcome {
        self.handle_with(now, false, |machine| {
            machine.on_note(task, attempt, content)
        })
    }

    /// The rest of the budgets of the run and of this task, after spending and reservations.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    #[must_use]
    #[track_caller]
    pub fn left(&self, task: TaskId) -> Budget {
        self.check_task(task);
        let own = self.machine.graph.task(task).rules().budget;
        self.machine.ledger.left(task, own)
    }

    /// The current budget of the run.
    #[must_use]
    pub const fn budget(&self) -> Budget {
        self.machine.ledger.budget
    }

    /// The spending of the run so far. Constant time.
    #[must_use]
    pub const fn spent(&self) -> Spent {
        self.machine.ledger.run.spent
    }

    /// The sum of the open reservations. Constant time.
    #[must_use]
    pub const fn reserved(&self) -> Spent {
        self.machine.ledger.run.reserved
    }

    /// The spending of all attempts of a task. Cost: a logarithm.
    #[must_use]
    pub fn spent_by(&self, task: TaskId) -> Spent {
        self.machine.ledger.account(task).spent
    }
}

impl Machine {
    fn on_reserve(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        most: Spend,
    ) -> Result<ReservationId, Refusal> {
        // The resumption will record the attempts of the last process as lost.
        if self.in_flight(task, attempt).is_none() || self.awaiting_resume {
            return Err(Refusal::Stale);
        }
        let own = self.graph.task(task).rules().budget;
        if !self.ledger.covers(task, own, most) {
            let left = self.ledger.left(task, own);
            return Err(Refusal::OverBudget { left });
        }
        let reservation = self.ledger.next_reservation();
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
        let open = self.ledger.open.contains_key(&(task, reservation));
        if self.in_flight(task, attempt).is_none() || !open {
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
        if self.in_flight(task, attempt).is_none() {
            return InputOutcome::Stale;
        }
        self.record(Record::Noted {
            task,
            attempt,
            content,
        });
        InputOutcome::Accepted
    }

    /// Sets the budget of the run.
    pub(crate) fn on_budget(&mut self, budget: Budget) -> InputOutcome {
        if budget == self.ledger.budget {
            return InputOutcome::Stale;
        }
        self.record(Record::Budgeted { budget });
        InputOutcome::Accepted
    }
}
