//! Strategy: retry, abort, skip, ask, or take a value.

use std::time::Duration;

use zeph_graph::{
    AskWhy, EndingWhy, Fault, OnFailure, Output, OverBudget, QuestionId, Record, Retry, TaskId,
    Timestamp,
};

use crate::batch::Action;
use crate::jitter;
use crate::machine::Machine;

impl Machine {
    /// The attempt is over and its failure recorded: once more, or the strategy.
    pub(crate) fn after_failure(
        &mut self,
        task: TaskId,
        fault: Fault,
        retry_after: Option<Duration>,
    ) {
        let retry = self.graph.task(task).rules().retry;
        let tally = self.tally(task);
        // An attempt that a person asked for adds nothing: it is one attempt, and if it fails the policy
        // decides as if nobody had been asked.
        let granted = u64::from(retry.max_retries) + u64::from(planted!(6));
        #[cfg(feature = "planted")]
        let granted = granted + u64::from(tally.agains) * u64::from(planted!(53));
        let again = fault.is_retryable() || (planted!(59) && fault == Fault::Budget);
        if (again || planted!(5)) && u64::from(tally.failures) <= granted {
            let until = self.retry_at(task, retry, tally.failures, retry_after);
            self.record(Record::BackedOff { task, until });
        } else {
            self.strategy(task, fault);
        }
    }

    fn retry_at(
        &self,
        task: TaskId,
        retry: Retry,
        failures: u32,
        retry_after: Option<Duration>,
    ) -> Timestamp {
        let seed = self.policy.seed;
        #[cfg(feature = "planted")]
        let seed = seed ^ crate::planted::noise(37);
        let draw = jitter::draw(seed, task, self.attempts[task.index()]);
        let base = if planted!(8) {
            Duration::ZERO
        } else {
            retry.base
        };
        let wait = jitter::backoff(base, retry.cap, failures, draw);
        let floor = retry_after.filter(|_| !planted!(7));
        self.now.after(wait.max(floor.unwrap_or_default()))
    }

    /// No further attempt: what the task's `on_failure` says, or the policy for a budget.
    pub(crate) fn strategy(&mut self, task: TaskId, fault: Fault) {
        if fault == Fault::Budget && !planted!(58) {
            return match self.policy.over_budget {
                OverBudget::Ask => self.ask_failure(task, fault),
                OverBudget::Partial => self.fail(task, fault),
            };
        }
        match self.graph.task(task).rules().on_failure {
            OnFailure::Abort => self.abort(task, fault),
            OnFailure::Skip => self.fail(task, fault),
            OnFailure::Ask(_) => self.ask_failure(task, fault),
            OnFailure::Value(_) => {
                self.record(Record::Completed {
                    task,
                    output: Output::Definition,
                    log: None,
                });
                if !planted!(10) {
                    self.spread.push_back(task);
                }
            }
        }
    }

    pub(crate) fn fail(&mut self, task: TaskId, fault: Fault) {
        self.record(Record::Failed { task, why: fault });
        self.spread.push_back(task);
    }

    pub(crate) fn abort(&mut self, task: TaskId, fault: Fault) {
        self.record(Record::Failed { task, why: fault });
        if !planted!(9) {
            self.begin_ending(EndingWhy::Abort(task));
        }
    }

    pub(crate) fn ask_failure(&mut self, task: TaskId, fault: Fault) {
        self.ask(task, AskWhy::Failure(fault));
    }

    pub(crate) fn ask(&mut self, task: TaskId, why: AskWhy) {
        let question =
            QuestionId::new(self.run.last_question).map_or(QuestionId::FIRST, QuestionId::next);
        self.record(Record::Asked {
            task,
            question,
            why,
        });
        self.actions.push(Action::Ask { task, question });
    }
}
