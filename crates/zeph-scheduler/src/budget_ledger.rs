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

    /// Whether a budget covers `amount` beside everything that is spent and reserved.
    const fn fits(&self, budget: Budget, amount: Spend) -> bool {
        budget.covers(self.total().plus(amount))
    }

    const fn reserve(&mut self, most: Spend) {
        self.reserved = self.reserved.plus(most);
    }

    fn settle(&mut self, most: Spend, spent: Spend) {
        self.reserved = self.reserved.minus(most);
        self.spent = self.spent.plus(spent);
    }
}

/// Whether the budgets of a run and of a task cover a reservation at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetFit {
    /// They cover this amount, which is less than the most that was asked for only if no open reservation
    /// can give anything back.
    Covered(Spend),
    /// They do not, but open reservations can give something back.
    Wait {
        /// Whether the task's own budget is short; else the budget of the run is.
        of_task: bool,
        /// The rest of both budgets.
        left: Budget,
    },
    /// They do not cover the least that was asked for, and no open reservation can change that.
    Refused {
        /// The rest of both budgets.
        left: Budget,
    },
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

    /// Whether a reservation between `least` and `most` fits, waits or is refused. A task's own budget only
    /// gets something back from reservations of that task.
    pub(crate) fn fit(
        &self,
        task: TaskId,
        own: Budget,
        (least, most): (Spend, Spend),
        gives_back: impl Fn(TaskId, ReservationId) -> bool,
    ) -> BudgetFit {
        let left = self.left(task, own);
        let of_both = [
            (true, own, self.account(task)),
            (false, self.budget, self.run),
        ];
        let never = |&(_, budget, account): &(bool, Budget, Account)| {
            !budget.covers(account.spent.plus(least))
        };
        if of_both.iter().any(never) {
            return BudgetFit::Refused { left };
        }
        let mut amount = most;
        for (of_task, budget, account) in of_both {
            if account.fits(budget, amount) {
                continue;
            }
            let mut open = self.open.keys();
            if open.any(|&(of, id)| (!of_task || of == task) && gives_back(of, id)) {
                return BudgetFit::Wait { of_task, left };
            }
            if !account.fits(budget, least) {
                return BudgetFit::Refused { left };
            }
            amount = budget.without(account.total()).part_of(amount);
        }
        BudgetFit::Covered(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: u64 = 100;

    fn tokens(tokens: u32) -> Spend {
        Spend {
            tokens,
            micro_usd: 0,
        }
    }

    /// A ledger with a budget of 100, and an open reservation of 60 of the first task.
    fn ledger() -> (BudgetLedger, [TaskId; 2]) {
        let tasks = [TaskId::from_index(0), TaskId::from_index(1)];
        let mut ledger = BudgetLedger::new(Budget::of_tokens(RUN));
        ledger.reserve(tasks[0], ReservationId::FIRST, tokens(60));
        (ledger, tasks)
    }

    #[test]
    fn a_reservation_waits_only_while_one_can_give_back() {
        let (ledger, [first, second]) = ledger();
        let fit = |task, least, most, gives_back: bool| {
            let asked = (tokens(least), tokens(most));
            ledger.fit(task, Budget::UNLIMITED, asked, |_, _| gives_back)
        };
        let left = Budget::of_tokens(40);
        assert_eq!(fit(second, 5, 40, true), BudgetFit::Covered(tokens(40)));
        let of_task = false;
        assert_eq!(fit(second, 5, 41, true), BudgetFit::Wait { of_task, left });
        assert_eq!(fit(first, 5, 41, true), BudgetFit::Wait { of_task, left });
        // Nothing comes back: less is enough, down to the least.
        assert_eq!(fit(second, 40, 70, false), BudgetFit::Covered(tokens(40)));
        assert_eq!(fit(second, 41, 70, false), BudgetFit::Refused { left });
        // More than everything that could come back.
        assert_eq!(fit(second, 101, 101, true), BudgetFit::Refused { left });
        assert_eq!(
            fit(second, 5, 200, true),
            BudgetFit::Wait { of_task, left },
            "the longest answer is waited for, also if it will not be granted in full"
        );
    }

    #[test]
    fn the_own_budget_of_a_task_waits_only_for_its_own_reservations() {
        let (ledger, [first, second]) = ledger();
        let own = Budget::of_tokens(70);
        let left = Budget::of_tokens(10);
        let of_task = true;
        assert_eq!(
            ledger.fit(first, own, (tokens(5), tokens(20)), |_, _| true),
            BudgetFit::Wait { of_task, left }
        );
        let own = Budget::of_tokens(30);
        let cut = ledger.fit(second, own, (tokens(5), tokens(50)), |_, _| true);
        assert_eq!(
            cut,
            BudgetFit::Covered(tokens(30)),
            "no other task gives it more"
        );
        let left = Budget::of_tokens(30);
        let never = ledger.fit(second, own, (tokens(31), tokens(50)), |_, _| true);
        assert_eq!(never, BudgetFit::Refused { left });
    }
}
