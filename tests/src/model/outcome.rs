//! Outcome: the effects of an attempt's end and of a person's answer in the model.

use std::time::Duration;

use zeph_graph::{
    Answer, AskWhy, CutHow, CutWhy, Effect, EndingWhy, FailureAnswer, Fault, OnFailure, Output,
    OverBudget, TaskId, Work,
};
use zeph_scheduler::InputOutcome;

use super::by_hand::manual;
use super::clock::{Stretches, later};
use super::{Model, Stage, TaskEnd, Until};

impl Model {
    pub(super) fn known(&self, task: TaskId) -> bool {
        task.index() < self.lives.len()
    }

    /// `None` if the task has no attempt in flight; otherwise why the attempt is being stopped, if it is.
    pub(super) fn attempt_of(&self, task: TaskId) -> Option<Option<CutWhy>> {
        match self.lives.get(task.index())?.stage {
            Stage::Working(..) => Some(None),
            Stage::Stopping(_, why, _) => Some(Some(why)),
            Stage::Idle
            | Stage::Preparing
            | Stage::Queued
            | Stage::Resting(..)
            | Stage::Asked(..)
            | Stage::Mapping
            | Stage::FallingBack(..)
            | Stage::Ended(_) => None,
        }
    }

    pub(super) fn current(&self, task: TaskId, no: u32) -> Option<Option<CutWhy>> {
        let same = self.lives.get(task.index())?.attempts == no;
        self.attempt_of(task).filter(|_| same)
    }

    pub(super) fn completed(&mut self, task: TaskId, no: u32, output: Output) -> InputOutcome {
        match self.current(task, no) {
            None => return InputOutcome::Stale,
            Some(None | Some(CutWhy::Suspend)) => {
                self.lives[task.index()].budget.charge_held();
                self.lives[task.index()].stage = Stage::Ended(TaskEnd::Completed(output));
            }
            Some(why) => self.attempt_over(task, why, CutHow::Stopped),
        }
        InputOutcome::Accepted
    }

    pub(super) fn attempt_failed(
        &mut self,
        task: TaskId,
        no: u32,
        fault: Fault,
        floor: Option<Duration>,
    ) -> InputOutcome {
        match self.current(task, no) {
            None => return InputOutcome::Stale,
            Some(None) => {
                self.lives[task.index()].clock.set(false, self.now);
                self.lives[task.index()].budget.charge_held();
                if fault == Fault::Skipped {
                    self.lives[task.index()].stage = Stage::Ended(TaskEnd::NothingToDo);
                    return InputOutcome::Accepted;
                }
                self.lives[task.index()].failures += 1;
                let once = self.facts.effect(task) == Effect::AtMostOnce;
                match (fault == Fault::Interrupted, once) {
                    (true, true) => self.ask(task, AskWhy::Failure(fault)),
                    (true, false) => self.retry_or_not(task, Fault::Error, floor),
                    (false, _) => self.retry_or_not(task, fault, floor),
                }
            }
            Some(why) if fault == Fault::Interrupted => {
                self.attempt_over(task, why, CutHow::Killed);
            }
            Some(why) => self.attempt_over(task, why, CutHow::Stopped),
        }
        InputOutcome::Accepted
    }

    pub(super) fn idle(&mut self, task: TaskId, no: u32) -> InputOutcome {
        let has_limit = self.known(task) && self.facts.rules(task).idle_timeout.is_some();
        if self.current(task, no) != Some(None) || !has_limit {
            return InputOutcome::Stale;
        }
        self.lives[task.index()].stage = Stage::Stopping(no, CutWhy::IdleTimeout, self.now);
        InputOutcome::Accepted
    }

    pub(super) fn lost(&mut self, task: TaskId, no: u32) -> InputOutcome {
        match self.current(task, no) {
            None => return InputOutcome::Stale,
            Some(why) => self.attempt_over(task, why, CutHow::Lost),
        }
        InputOutcome::Accepted
    }

    /// Ends an attempt that was stopped, abandoned or lost.
    pub(super) fn attempt_over(&mut self, task: TaskId, why: Option<CutWhy>, how: CutHow) {
        let effect = self.facts.effect(task);
        let ending = self.ending.filter(|_| !self.facts.rules(task).finally);
        let life = &mut self.lives[task.index()];
        life.clock.set(false, self.now);
        life.budget.charge_held();
        let timed_out = matches!(
            why,
            Some(CutWhy::AttemptTimeout | CutWhy::IdleTimeout | CutWhy::TaskTimeout)
        );
        let interrupted = matches!(why, None | Some(CutWhy::Suspend));
        life.failures += u32::from(timed_out);
        life.restarts += u32::from(interrupted);
        life.abandoned += u32::from(how == CutHow::Abandoned);
        if why == Some(CutWhy::Override)
            && let Some(end) = life.manual_end
        {
            life.stage = Stage::Ended(manual(end));
            return;
        }
        if let Some(ending) = ending {
            life.stage = Stage::Ended(TaskEnd::Canceled(ending.cancel_why()));
            return;
        }
        let unknown = interrupted || how != CutHow::Stopped;
        match why {
            Some(CutWhy::Cancel(why)) => life.stage = Stage::Ended(TaskEnd::Canceled(why)),
            _ if unknown && effect == Effect::AtMostOnce => {
                self.ask(task, AskWhy::Failure(Fault::Interrupted));
            }
            Some(CutWhy::AttemptTimeout) => self.retry_or_not(task, Fault::AttemptTimeout, None),
            Some(CutWhy::IdleTimeout) => self.retry_or_not(task, Fault::IdleTimeout, None),
            Some(CutWhy::TaskTimeout) => self.last_resort(task, Fault::TaskTimeout),
            Some(CutWhy::Suspend | CutWhy::Override) | None => self.queue(task),
        }
    }

    fn retry_or_not(&mut self, task: TaskId, fault: Fault, floor: Option<Duration>) {
        let retry = self.facts.rules(task).retry;
        let life = &mut self.lives[task.index()];
        let allowed = u64::from(retry.max_retries);
        let mendable = matches!(
            fault,
            Fault::Error | Fault::Panicked | Fault::AttemptTimeout | Fault::IdleTimeout
        );
        if !mendable || u64::from(life.failures) > allowed {
            self.last_resort(task, fault);
            return;
        }
        let floor = later(self.now, floor.unwrap_or_default());
        // The scheduler may round a fraction of a microsecond either way, but never below the whole
        // microseconds of `base`.
        let base = Duration::from_micros(u64::try_from(retry.base.as_micros()).unwrap_or(u64::MAX));
        let mut top = base;
        for _ in 0..life.failures.min(200) {
            top = top.saturating_mul(2);
        }
        let top = top.min(retry.cap.max(retry.base)).max(base);
        let low = later(self.now, base).max(floor);
        let high = later(self.now, top).max(floor);
        let until = if low == high {
            Until::Known(low)
        } else {
            Until::Between(low, high)
        };
        life.stage = Stage::Resting(life.attempts, until);
    }

    /// Applies the `on_failure` rule: no further attempt follows by itself.
    pub(super) fn last_resort(&mut self, task: TaskId, fault: Fault) {
        if fault == Fault::Budget {
            match self.facts.header.policy.over_budget {
                OverBudget::Ask => self.ask(task, AskWhy::Failure(fault)),
                OverBudget::Partial => {
                    self.lives[task.index()].stage = Stage::Ended(TaskEnd::Failed(fault));
                }
            }
            return;
        }
        match self.facts.rules(task).on_failure {
            OnFailure::Abort => self.fail_and_abort(task, fault),
            OnFailure::Skip => {
                self.lives[task.index()].stage = Stage::Ended(TaskEnd::Failed(fault));
            }
            OnFailure::Ask(_) => self.ask(task, AskWhy::Failure(fault)),
            OnFailure::Value(_) if matches!(self.facts.work(task), Work::Question(_)) => {
                self.lives[task.index()].stage = Stage::Ended(TaskEnd::Failed(fault));
            }
            OnFailure::Value(_) => {
                self.lives[task.index()].substituted = true;
                self.lives[task.index()].stage =
                    Stage::Ended(TaskEnd::Completed(Output::Definition));
            }
            OnFailure::Fallback(to) => {
                self.lives[task.index()].stage = Stage::FallingBack(to, fault);
            }
        }
    }

    fn fail_and_abort(&mut self, task: TaskId, fault: Fault) {
        self.lives[task.index()].stage = Stage::Ended(TaskEnd::Failed(fault));
        if !self.facts.rules(task).finally {
            self.end_early(EndingWhy::Abort(task));
        }
    }

    pub(super) fn answered(&mut self, task: TaskId, answer: Answer) -> InputOutcome {
        let Stage::Asked(about, _) = self.lives[task.index()].stage else {
            return InputOutcome::Stale;
        };
        let now = self.now;
        let has_default = about == AskWhy::Work && self.patience(task, about).is_some();
        if answer == Answer::Value(Output::Definition) && !has_default {
            return InputOutcome::Rejected;
        }
        let life = &mut self.lives[task.index()];
        match (about, answer) {
            (AskWhy::Approve, Answer::Yes) => self.begin(task),
            (AskWhy::Approve, Answer::No) => life.stage = Stage::Ended(TaskEnd::Declined),
            (AskWhy::Work, Answer::Value(output)) => {
                life.stage = Stage::Ended(TaskEnd::Completed(output));
            }
            (AskWhy::Failure(_), Answer::Value(output)) => {
                life.substituted = true;
                life.stage = Stage::Ended(TaskEnd::Completed(output));
            }
            (AskWhy::Failure(fault), Answer::Failure(answer)) => match answer {
                FailureAnswer::Retry => {
                    life.manual_retries += 1;
                    life.clock.set(false, now);
                    life.clock = Stretches::default();
                    if fault == Fault::Prepare {
                        life.stage = Stage::Preparing;
                    } else {
                        self.queue(task);
                    }
                }
                FailureAnswer::Skip => life.stage = Stage::Ended(TaskEnd::Failed(fault)),
                FailureAnswer::Abort => self.fail_and_abort(task, fault),
            },
            (AskWhy::Approve | AskWhy::Work | AskWhy::Failure(_), _) => {
                return InputOutcome::Rejected;
            }
        }
        InputOutcome::Accepted
    }

    /// Answers an expired question with its default.
    pub(super) fn unanswered(&mut self, task: TaskId, about: AskWhy) {
        let rules = self.facts.rules(task);
        let answer = match about {
            AskWhy::Work => match self.facts.work(task) {
                Work::Question(_) => Some(Answer::Value(Output::Definition)),
                Work::Milestone | Work::Action { .. } => None,
            },
            AskWhy::Approve => {
                let fallback = rules.approve.as_ref().and_then(|approve| approve.fallback);
                fallback.map(|(_, yes)| if yes { Answer::Yes } else { Answer::No })
            }
            AskWhy::Failure(_) => match &rules.on_failure {
                OnFailure::Ask(ask) => ask.fallback.map(|(_, answer)| Answer::Failure(answer)),
                OnFailure::Abort
                | OnFailure::Skip
                | OnFailure::Value(_)
                | OnFailure::Fallback(_) => None,
            },
        };
        if let Some(answer) = answer {
            self.answered(task, answer);
        }
    }
}
