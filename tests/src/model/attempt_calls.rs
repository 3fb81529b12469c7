//! Attempt calls: spending, notes and growth in the model. Sums are computed on each query.

use std::sync::Arc;

use zeph_graph::{AskWhy, Attempt, Budget, ReservationId, Spend, Spent, TaskId};
use zeph_scheduler::{Account, Snapshot};

use super::{Model, Phase, Stage, TaskEnd};
use crate::call::CallReply;
use crate::facts::Facts;

/// The settled and the open reservations of a task.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskBudget {
    // The amounts of settled reservations.
    paid: Vec<Spend>,
    held: Vec<(ReservationId, Spend)>,
}

impl TaskBudget {
    /// Settles every open reservation at its full amount, because the attempt has ended.
    pub(super) fn charge_held(&mut self) {
        self.paid.extend(self.held.drain(..).map(|(_, most)| most));
    }

    fn account(&self) -> Account {
        let sum = |all: &mut dyn Iterator<Item = Spend>| {
            all.fold(Spent::default(), |sum, one| Spent {
                tokens: sum.tokens + u64::from(one.tokens),
                micro_usd: sum.micro_usd + u64::from(one.micro_usd),
            })
        };
        Account {
            spent: sum(&mut self.paid.iter().copied()),
            reserved: sum(&mut self.held.iter().map(|&(_, most)| most)),
        }
    }

    fn was_used(&self) -> bool {
        !(self.paid.is_empty() && self.held.is_empty())
    }
}

/// The rest of a limit; `None` for no limit.
fn left_of(limit: Option<u64>, used: u64) -> Option<u64> {
    limit.map(|limit| limit.saturating_sub(used))
}

/// The smaller of two optional limits.
fn tighter(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

impl Model {
    fn run_account(&self) -> Account {
        let mut all = Account::default();
        for life in &self.lives {
            let own = life.budget.account();
            all.spent = all.spent.and(own.spent);
            all.reserved = all.reserved.and(own.reserved);
        }
        all
    }

    fn left(&self, task: TaskId) -> Budget {
        let own = self.facts.rules(task).budget;
        let (run, mine) = (self.run_account(), self.life(task).budget.account());
        let used = |account: Account| {
            (
                account.spent.tokens + account.reserved.tokens,
                account.spent.micro_usd + account.reserved.micro_usd,
            )
        };
        let ((tokens, money), (my_tokens, my_money)) = (used(run), used(mine));
        Budget::new(
            tighter(
                left_of(self.budget.tokens(), tokens),
                left_of(own.tokens(), my_tokens),
            ),
            tighter(
                left_of(self.budget.micro_usd(), money),
                left_of(own.micro_usd(), my_money),
            ),
        )
    }

    fn overdrawn(&self, task: TaskId) -> bool {
        let over = |limit: Budget, account: Account| {
            let tokens = account.spent.tokens + account.reserved.tokens;
            let money = account.spent.micro_usd + account.reserved.micro_usd;
            limit.tokens().is_some_and(|limit| tokens > limit)
                || limit.micro_usd().is_some_and(|limit| money > limit)
        };
        over(self.budget, self.run_account())
            || over(
                self.facts.rules(task).budget,
                self.life(task).budget.account(),
            )
    }

    pub(super) fn reserve(&mut self, task: TaskId, attempt: Attempt, most: Spend) -> CallReply {
        if self.current(task, attempt.get()).is_none() || self.awaiting_resume {
            return CallReply::Stale;
        }
        let left = self.left(task);
        let fits = left
            .tokens()
            .is_none_or(|left| u64::from(most.tokens) <= left)
            && (left.micro_usd()).is_none_or(|left| u64::from(most.micro_usd) <= left)
            && !self.overdrawn(task);
        if !fits {
            return CallReply::OverBudget(left);
        }
        self.reservations += 1;
        let Some(number) = ReservationId::new(self.reservations) else {
            return CallReply::Stale;
        };
        self.lives[task.index()].budget.held.push((number, most));
        CallReply::Reserved(number)
    }

    pub(super) fn settle(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        reservation: ReservationId,
        spent: Spend,
    ) -> CallReply {
        if self.current(task, attempt.get()).is_none() {
            return CallReply::Stale;
        }
        let budget = &mut self.lives[task.index()].budget;
        let before = budget.held.len();
        budget.held.retain(|&(number, _)| number != reservation);
        if budget.held.len() == before {
            return CallReply::Stale;
        }
        budget.paid.push(spent);
        CallReply::Accepted
    }

    pub(super) fn note(&self, task: TaskId, attempt: Attempt) -> CallReply {
        match self.current(task, attempt.get()) {
            Some(_) => CallReply::Accepted,
            None => CallReply::Stale,
        }
    }

    /// Applies a patch. `grown` is the facts after the patch; `None` if the patch is invalid.
    pub(super) fn amend(
        &mut self,
        task: TaskId,
        (attempt, after): (Attempt, u32),
        grown: Option<Arc<Facts>>,
    ) -> CallReply {
        let stage = self.lives.get(task.index()).map(|life| life.stage);
        let works = matches!(stage, Some(Stage::Working(no, _)) if no == attempt.get());
        if !works || self.awaiting_resume || self.ending.is_some() || self.is_work_over() {
            return CallReply::Stale;
        }
        if self.life(task).proposals != after {
            return CallReply::Already;
        }
        let reply = self.grow(grown);
        if let CallReply::Added(..) = reply {
            self.lives[task.index()].proposals += 1;
        }
        reply
    }

    /// Applies the patch of a person, who made it after so many amendments.
    pub(super) fn amend_by_hand(&mut self, after: u32, grown: Option<Arc<Facts>>) -> CallReply {
        let is_over = matches!(self.phase, Phase::New | Phase::Over(_));
        if is_over || self.ending.is_some() || self.is_work_over() {
            return CallReply::Stale;
        }
        let amendments = self.facts.patches.len() as u32;
        if after != amendments {
            return CallReply::Outdated(amendments);
        }
        self.grow(grown)
    }

    fn grow(&mut self, grown: Option<Arc<Facts>>) -> CallReply {
        let Some(grown) = grown else {
            return CallReply::Refused;
        };
        let removed: Vec<TaskId> = self.facts.newly_removed(grown.graph()).collect();
        let is_needed = |task: &TaskId| {
            let mut children = self.facts.children[task.index()].iter();
            let user = self.facts.users[task.index()];
            user.is_some_and(|user| !removed.contains(&user) && !self.life(user).is_gone())
                || children.any(|child| !removed.contains(child) && self.has_not_started(*child))
        };
        if (removed.iter()).any(|task| !self.has_not_started(*task) || is_needed(task)) {
            return CallReply::Refused;
        }
        let known = self.lives.len() as u32;
        let tasks = grown.graph().len();
        self.adopt(grown);
        for task in removed {
            self.lives[task.index()].stage = Stage::Ended(TaskEnd::Removed);
        }
        CallReply::Added(TaskId::from_index(known), tasks as u32 - known)
    }

    fn has_not_started(&self, task: TaskId) -> bool {
        let life = self.life(task);
        let is_fresh = life.attempts == 0 && life.manual_retries == 0;
        is_fresh
            && match life.stage {
                Stage::Idle | Stage::Preparing | Stage::Queued => true,
                Stage::Asked(why, _) => matches!(why, AskWhy::Work | AskWhy::Approve),
                Stage::Working(..)
                | Stage::Resting(..)
                | Stage::Mapping
                | Stage::FallingBack(..)
                | Stage::Stopping(..)
                | Stage::Ended(_) => false,
            }
    }

    /// Compares budgets, reservations and growth with the scheduler's.
    pub(super) fn agree_on_attempt_calls(&self, snapshot: &Snapshot) -> Result<(), String> {
        let differ = |what: &str, its: &dyn std::fmt::Debug, mine: &dyn std::fmt::Debug| {
            Err(format!("{what}: {its:?}, the model says {mine:?}"))
        };
        if snapshot.budget != self.budget {
            return differ("the budget", &snapshot.budget, &self.budget);
        }
        let account = self.run_account();
        if snapshot.account != account {
            return differ("the run's account", &snapshot.account, &account);
        }
        let all = || self.ids().into_iter().zip(&self.lives);
        let used = all().filter(|(_, life)| life.budget.was_used());
        let accounts: Vec<_> = used
            .map(|(task, life)| (task, life.budget.account()))
            .collect();
        if snapshot.accounts != accounts {
            return differ("the tasks' accounts", &snapshot.accounts, &accounts);
        }
        let held = all().flat_map(|(task, life)| {
            let held = life.budget.held.iter();
            held.map(move |&(number, most)| (task, number, most))
        });
        let held: Vec<_> = held.collect();
        if snapshot.reservations != held {
            return differ("the reservations", &snapshot.reservations, &held);
        }
        let proposers = all().filter(|(_, life)| life.proposals > 0);
        let proposers: Vec<_> = proposers
            .map(|(task, life)| (task, life.proposals))
            .collect();
        let amendments = self.facts.patches.len();
        if snapshot.amendments as usize != amendments {
            return differ("the amendments", &snapshot.amendments, &amendments);
        }
        if snapshot.proposers != proposers {
            return differ("the proposers", &snapshot.proposers, &proposers);
        }
        Ok(())
    }
}
