//! Attempt calls: random spending, notes and patches of attempts, valid and stale.

use zeph_graph::{Attempt, Budget, ContentId, Fault, ReservationId, Spend, TaskId};
use zeph_scheduler::{ByHand, Input};

use super::graphs;
use super::world::{Job, World};
use crate::call::{Call, CallReply};
use crate::violation::Check;

/// A graph of this many tasks gets no further patch.
const LARGEST: usize = 60;

impl World {
    /// Usually a running attempt; sometimes an ended one, or one that never existed.
    fn speaker(&mut self) -> Option<Job> {
        match self.rng.below(12) {
            0 => self.rng.pick(&self.ended).copied(),
            1 => Some(Job {
                task: self.any_task(),
                attempt: Attempt::new(self.rng.within(1, 3) as u32).unwrap_or(Attempt::FIRST),
                stubborn: false,
                must_end: false,
            }),
            _ => self.any_job(),
        }
    }

    fn spend(&mut self, most: u64) -> Spend {
        let number = |world: &mut Self| match world.rng.below(12) {
            0 => 0,
            1 => u32::MAX,
            _ => world.rng.below(most + 1) as u32,
        };
        let tokens = number(self);
        let micro_usd = if self.rng.percent(40) {
            number(self)
        } else {
            0
        };
        Spend { tokens, micro_usd }
    }

    pub(super) fn reserve(&mut self) -> Check {
        let Some(Job { task, attempt, .. }) = self.speaker() else {
            return Ok(());
        };
        let most = self.spend(120);
        let reply = self.tell_of(&Call::Reserve {
            task,
            attempt,
            most,
        })?;
        // Most attempts fail when their reservation is refused.
        if let CallReply::OverBudget(_) = reply
            && self.rng.percent(60)
        {
            self.end_attempt(task, attempt);
            self.tell(Input::Failed {
                task,
                attempt,
                fault: Fault::Budget,
                error: None,
                log: None,
                retry_after: None,
            })?;
        }
        Ok(())
    }

    pub(super) fn settle(&mut self) -> Check {
        let held = self.lockstep.snapshot().reservations.clone();
        let (task, reservation, most) = match self.rng.pick(&held) {
            Some(&held) if self.rng.percent(85) => held,
            _ => {
                let number = self.rng.within(1, 8) as u32;
                let number = ReservationId::new(number).unwrap_or(ReservationId::FIRST);
                (self.any_task(), number, Spend::ZERO)
            }
        };
        let last = self.last_attempt(task);
        let attempt = if self.rng.percent(90) {
            last
        } else {
            last.next()
        };
        let spent = self.cost(most);
        let settle = Call::Settle {
            task,
            attempt,
            reservation,
            spent,
        };
        self.tell_of(&settle)?;
        if self.rng.percent(self.mix.echoes) {
            self.tell_of(&settle)?;
        }
        Ok(())
    }

    /// Settles most reservations of an attempt before its report.
    pub(super) fn settle_up(&mut self, job: Job) -> Check {
        let held = self.lockstep.snapshot().reservations.clone();
        for (task, reservation, most) in held {
            if task == job.task && self.rng.percent(70) {
                let spent = self.cost(most);
                self.tell_of(&Call::Settle {
                    task,
                    attempt: job.attempt,
                    reservation,
                    spent,
                })?;
            }
        }
        Ok(())
    }

    /// A random cost of a call with this reservation.
    fn cost(&mut self, most: Spend) -> Spend {
        match self.rng.below(5) {
            0 => most,
            // More than the reservation.
            1 => Spend {
                tokens: most.tokens.saturating_add(self.rng.below(50) as u32),
                micro_usd: most.micro_usd,
            },
            _ => Spend {
                tokens: self.rng.below(u64::from(most.tokens) + 1) as u32,
                micro_usd: self.rng.below(u64::from(most.micro_usd) + 1) as u32,
            },
        }
    }

    fn last_attempt(&self, task: TaskId) -> Attempt {
        let attempts = self.lockstep.snapshot().attempts.get(task.index()).copied();
        attempts.and_then(Attempt::new).unwrap_or(Attempt::FIRST)
    }

    pub(super) fn note(&mut self) -> Check {
        if let Some(Job { task, attempt, .. }) = self.speaker() {
            let content = self.next_content();
            self.tell_of(&Call::Note {
                task,
                attempt,
                content,
            })?;
        }
        Ok(())
    }

    pub(super) fn amend(&mut self) -> Check {
        if self.rng.percent(25) {
            return self.amend_by_hand();
        }
        let Some(Job { task, attempt, .. }) = self.speaker() else {
            return Ok(());
        };
        if self.lockstep.facts().graph().len() >= LARGEST {
            return Ok(());
        }
        let facts = std::sync::Arc::clone(self.lockstep.facts());
        let patch = Box::new(graphs::patch(&mut self.rng, facts.graph()));
        let content = self.next_content();
        // Mostly the next patch of the task; also one that it has proposed, or one too far.
        let accepted = self.lockstep.machine().proposals(task);
        let after = match self.rng.percent(75) {
            true => accepted,
            false => u32::from(accepted == 0),
        };
        self.tell_of(&Call::Amend {
            task,
            attempt,
            after,
            content,
            patch,
        })?;
        Ok(())
    }

    fn amend_by_hand(&mut self) -> Check {
        if self.lockstep.facts().graph().len() >= LARGEST {
            return Ok(());
        }
        let facts = std::sync::Arc::clone(self.lockstep.facts());
        let patch = Box::new(graphs::patch(&mut self.rng, facts.graph()));
        let content = self.next_content();
        let by = self.rng.percent(50).then(|| self.next_content());
        let outdated = u32::from(self.rng.percent(20));
        let after = self.lockstep.machine().amendments() + outdated;
        let by_hand = ByHand { by, after };
        self.tell_of(&Call::AmendByHand {
            by_hand,
            content,
            patch,
        })?;
        Ok(())
    }

    /// Sets the run's budget: unchanged, unlimited, or close to the amount already spent.
    pub(super) fn set_budget(&mut self) -> Check {
        let budget = self.lockstep.machine().budget();
        let spent = self.lockstep.machine().spent();
        let budget = match self.rng.below(6) {
            0 => budget,
            1 => Budget::UNLIMITED,
            2 => Budget::new(Some(spent.tokens), budget.micro_usd()),
            _ => Budget::of_tokens(spent.tokens.saturating_add(self.rng.below(400))),
        };
        self.tell(Input::Budget(budget))?;
        Ok(())
    }

    fn next_content(&mut self) -> ContentId {
        self.contents += 1;
        ContentId::new(self.contents).unwrap_or(ContentId::FIRST)
    }
}
