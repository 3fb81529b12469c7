//! Budget ledger: the spending of a run and of its tasks, and the open reservations.

use std::collections::BTreeMap;

use zeph_graph::{Budget, ReservationId, Spend, Spent, TaskId};

/// The spending and the open reservations of a run, or of one of its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Spent: settled, or reserved by an attempt that ended without settling it.
    pub spent: Spent,
    /// Reserved by running attempts and not settled yet.
    pub reserved: Spent,
}

impl Account {
    /// Spent and reserved together: the amount that a budget has to cover.
    #[must_use]
    pub const fn total(self) -> Spent {
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

/// The accounts of a run and the open reservations.
#[derive(Debug)]
pub(crate) struct BudgetLedger {
    pub(crate) budget: Budget,
    pub(crate) run: Account,
    // Only tasks that have reserved something.
    pub(crate) tasks: BTreeMap<TaskId, Account>,
    // Ordered by task, since the end of an attempt settles all its reservations.
    pub(crate) open: BTreeMap<(TaskId, ReservationId), Spend>,
    pub(crate) last: Option<ReservationId>,
}

impl BudgetLedger {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            budget,
            run: Account::default(),
            tasks: BTreeMap::new(),
            open: BTreeMap::new(),
            last: None,
        }
    }

    /// The number of the next reservation.
    pub(crate) fn next_reservation(&self) -> ReservationId {
        self.last.map_or(ReservationId::FIRST, ReservationId::next)
    }

    pub(crate) fn reserve(&mut self, task: TaskId, reservation: ReservationId, most: Spend) {
        self.last = Some(reservation);
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

    /// Settles the open reservations of an attempt that has ended: in full, since their actual cost
    /// will not be reported.
    pub(crate) fn settle_all(&mut self, task: TaskId) {
        if self.open.is_empty() {
            return;
        }
        let last = ReservationId::from(std::num::NonZeroU32::MAX);
        let of_task = (task, ReservationId::FIRST)..=(task, last);
        while let Some((&(_, reservation), &most)) = self.open.range(of_task.clone()).next() {
            self.settle(task, reservation, most);
        }
    }

    pub(crate) fn account(&self, task: TaskId) -> Account {
        self.tasks.get(&task).copied().unwrap_or_default()
    }

    /// The rest of the budget of the run and of the task's own budget: the smaller limits.
    pub(crate) fn left(&self, task: TaskId, own: Budget) -> Budget {
        let of_run = self.budget.without(self.run.total());
        of_run.min(own.without(self.account(task).total()))
    }

    /// Whether the budget of the run and the task's own budget cover one more reservation.
    pub(crate) fn covers(&self, task: TaskId, own: Budget, most: Spend) -> bool {
        self.budget.covers(self.run.total().plus(most))
            && own.covers(self.account(task).total().plus(most))
    }
}
