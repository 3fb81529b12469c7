//! Budget: reservations, spending and accepted patches according to the records.

use std::collections::BTreeMap;

use zeph_graph::{Attempt, Budget, ContentId, ReservationId, Spend, Spent, TaskId};
use zeph_scheduler::Account;

use super::{Audit, LogState, Required};
use crate::hold;
use crate::violation::Check;

/// Reserved and spent amounts according to the records, as 128-bit sums, which cannot saturate.
#[derive(Clone, Debug)]
pub(super) struct BudgetLog {
    budget: Budget,
    last: u32,
    open: BTreeMap<ReservationId, (TaskId, Spend)>,
    run: Sums,
    tasks: BTreeMap<TaskId, Sums>,
}

#[derive(Clone, Copy, Debug)]
struct Sums {
    spent: [u128; 2],
    reserved: [u128; 2],
    // `ceiling`: the budget at the last reservation. `beyond`: the amounts by which settlements since
    // then exceeded their reservations. Invariant: `spent + reserved <= ceiling + beyond`.
    ceiling: [Option<u128>; 2],
    beyond: [u128; 2],
}

fn both(spend: Spend) -> [u128; 2] {
    [spend.tokens.into(), spend.micro_usd.into()]
}

impl Default for Sums {
    /// Before the first reservation the ceiling is 0.
    fn default() -> Self {
        Self {
            spent: [0; 2],
            reserved: [0; 2],
            ceiling: [Some(0); 2],
            beyond: [0; 2],
        }
    }
}

impl Sums {
    fn held(&self, i: usize) -> u128 {
        self.spent[i] + self.reserved[i]
    }

    /// Adds a reservation and makes the budget the ceiling. Returns whether the budget covers the sum.
    fn reserve(&mut self, most: Spend, budget: Budget) -> bool {
        let limits = [budget.tokens(), budget.micro_usd()].map(|limit| limit.map(u128::from));
        let mut covered = true;
        for (i, most) in both(most).into_iter().enumerate() {
            self.reserved[i] += most;
            covered &= limits[i].is_none_or(|limit| self.held(i) <= limit);
            (self.ceiling[i], self.beyond[i]) = (limits[i], 0);
        }
        covered
    }

    fn settle(&mut self, most: Spend, spent: Spend) {
        let (most, spent) = (both(most), both(spent));
        for i in 0..2 {
            self.reserved[i] -= most[i];
            self.spent[i] += spent[i];
            self.beyond[i] += spent[i].saturating_sub(most[i]);
        }
    }

    fn is_kept(&self) -> bool {
        (0..2)
            .all(|i| self.ceiling[i].is_none_or(|ceiling| self.held(i) <= ceiling + self.beyond[i]))
    }

    fn account(&self) -> Account {
        let sum = |two: [u128; 2]| {
            let [tokens, micro_usd] = two.map(|one| u64::try_from(one).unwrap_or(u64::MAX));
            Spent { tokens, micro_usd }
        };
        Account {
            spent: sum(self.spent),
            reserved: sum(self.reserved),
        }
    }
}

impl BudgetLog {
    pub(super) fn of(budget: Budget) -> Self {
        Self {
            budget,
            last: 0,
            open: BTreeMap::new(),
            run: Sums::default(),
            tasks: BTreeMap::new(),
        }
    }
}

impl Audit {
    pub(super) fn reserved(
        &mut self,
        task: TaskId,
        reservation: ReservationId,
        most: Spend,
    ) -> Check {
        let state = self.task_logs[task.index()].state;
        let budget_log = &mut self.budget_log;
        budget_log.last += 1;
        hold!(
            reservation.get() == budget_log.last,
            22,
            "budgets_kept",
            "reservation {reservation} is the {}. one",
            budget_log.last
        );
        hold!(
            matches!(state, LogState::Running(..)),
            6,
            "only_current_attempt_counts",
            "{task} reserves from {state:?}"
        );
        budget_log.open.insert(reservation, (task, most));
        let own = self.facts.rules(task).budget;
        let covered = budget_log.run.reserve(most, budget_log.budget)
            & budget_log.tasks.entry(task).or_default().reserve(most, own);
        hold!(
            covered,
            22,
            "budgets_kept",
            "reservation {reservation} of {most}: of {} the run now holds {:?}, of {own} {task} {:?}",
            budget_log.budget,
            budget_log.run,
            budget_log.tasks[&task]
        );
        Ok(())
    }

    pub(super) fn settled(
        &mut self,
        task: TaskId,
        reservation: ReservationId,
        spent: Spend,
    ) -> Check {
        let budget_log = &mut self.budget_log;
        let open = budget_log.open.remove(&reservation);
        let Some((_, most)) = open.filter(|&(of, _)| of == task) else {
            hold!(
                false,
                22,
                "budgets_kept",
                "{task} settles reservation {reservation}, which is {open:?}"
            );
            return Ok(());
        };
        budget_log.run.settle(most, spent);
        budget_log
            .tasks
            .entry(task)
            .or_default()
            .settle(most, spent);
        self.inv_22_budgets_kept()
    }

    /// Settles every open reservation of a task at its full amount, because the attempt has ended.
    pub(super) fn charge_held(&mut self, task: TaskId) -> Check {
        let of_task =
            |(&number, &(of, most)): (&_, &(TaskId, Spend))| (of == task).then_some((number, most));
        let held: Vec<(ReservationId, Spend)> =
            self.budget_log.open.iter().filter_map(of_task).collect();
        for (reservation, most) in held {
            self.settled(task, reservation, most)?;
        }
        Ok(())
    }

    fn inv_22_budgets_kept(&self) -> Check {
        let all = self.budget_log.tasks.values().chain([&self.budget_log.run]);
        for sums in all {
            hold!(
                sums.is_kept(),
                22,
                "budgets_kept",
                "more is held than the budget allowed: {sums:?}"
            );
        }
        Ok(())
    }

    pub(super) fn noted(&self, task: TaskId, attempt: Attempt) -> Check {
        let state = self.task_logs[task.index()].state;
        hold!(
            matches!(state, LogState::Running(running, _) if running == attempt),
            6,
            "only_current_attempt_counts",
            "attempt {attempt} of {task} leaves a note from {state:?}"
        );
        Ok(())
    }

    pub(super) fn amended(&mut self, task: Option<TaskId>, content: ContentId) -> Check {
        let state = task.map(|task| self.task_logs[task.index()].state);
        let fine = matches!(state, None | Some(LogState::Running(_, None)))
            && self.ending.is_none()
            && !self.is_work_over();
        let size = self.facts.sizes.get(&content).copied();
        hold!(
            fine && size.is_some_and(|size| size >= self.known),
            23,
            "patches_append",
            "{task:?} adds patch {content} from {state:?}; tasks: {size:?} after {}",
            self.known
        );
        self.known = size.unwrap_or(self.known);
        let removed = self.facts.removed.get(&content).map_or(0, Vec::len);
        self.required = (removed > 0).then_some(Required::Removal(content, removed));
        Ok(())
    }

    pub(super) fn budgeted(&mut self, budget: Budget) -> Check {
        hold!(
            budget != self.budget_log.budget,
            13,
            "records_explained",
            "the budget is {budget} already"
        );
        self.budget_log.budget = budget;
        Ok(())
    }

    /// The accounts of the run and of its tasks according to the records.
    #[must_use]
    pub fn accounts(&self) -> (Account, Vec<(TaskId, Account)>) {
        let tasks = self.budget_log.tasks.iter();
        let tasks = tasks.map(|(&task, sums)| (task, sums.account())).collect();
        (self.budget_log.run.account(), tasks)
    }
}
