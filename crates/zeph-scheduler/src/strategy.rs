//! Failure strategy: retry, abort, skip, ask, substitute a value, or run another task.

use std::time::Duration;

use zeph_graph::{
    AskWhy, EndingWhy, Fault, OnFailure, Output, OverBudget, QuestionId, Record, Retry, SkipWhy,
    TaskId, Timestamp,
};

use crate::batch::Action;
use crate::jitter;
use crate::machine::{Kind, Machine};

impl Machine {
    /// Decides the consequence of a failed attempt: a retry, or the strategy of the task.
    pub(crate) fn after_failure(
        &mut self,
        task: TaskId,
        fault: Fault,
        retry_after: Option<Duration>,
    ) {
        if fault == Fault::Skipped {
            return self.skip(task, SkipWhy::Executor);
        }
        let retry = self.graph.task(task).rules().retry;
        // A manual retry grants one attempt; it does not extend the automatic retry limit.
        let failures = self.attempt_counts(task).failures;
        if fault.is_retryable() && failures <= retry.max_retries {
            let until = self.retry_at(task, retry, failures, retry_after);
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
        let draw = jitter::draw(self.policy.seed, task, self.attempts[task.index()]);
        let wait = jitter::backoff(retry.base, retry.cap, failures, draw);
        self.now.after(wait.max(retry_after.unwrap_or_default()))
    }

    /// Applies the task's `on_failure`, or the policy if a budget is exhausted.
    pub(crate) fn strategy(&mut self, task: TaskId, fault: Fault) {
        if fault == Fault::Budget {
            return match self.policy.over_budget {
                OverBudget::Ask => self.ask_failure(task, fault),
                OverBudget::Partial => self.fail(task, fault),
            };
        }
        match self.graph.task(task).rules().on_failure {
            OnFailure::Abort => self.abort(task, fault),
            OnFailure::Skip => self.fail(task, fault),
            OnFailure::Ask(_) => self.ask_failure(task, fault),
            // The value in the definition of a question is its default answer.
            OnFailure::Value(_) if self.flags[task.index()].kind == Kind::Question => {
                self.fail(task, fault);
            }
            OnFailure::Value(_) => {
                self.record(Record::Completed {
                    task,
                    output: Output::Definition,
                    log: None,
                });
                self.ended.push_back(task);
            }
            OnFailure::Fallback(to) => self.fall_back(task, to, fault),
        }
    }

    pub(crate) fn fail(&mut self, task: TaskId, fault: Fault) {
        self.record(Record::Failed { task, why: fault });
        self.ended.push_back(task);
    }

    /// Fails the task, and aborts the run unless only finalizers are left.
    pub(crate) fn abort(&mut self, task: TaskId, fault: Fault) {
        if self.is_finalizer(task) {
            return self.fail(task, fault);
        }
        self.record(Record::Failed { task, why: fault });
        self.begin_ending(EndingWhy::Abort(task));
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
