//! Follow: the one record that must follow the end of an attempt, an answer or an aborting failure.

use std::time::Duration;

use zeph_graph::{
    Answer, AskWhy, ContentId, CutHow, CutWhy, Effect, EndingWhy, Entry, FailureAnswer, Fault,
    OnFailure, Output, OverBudget, Record, SkipWhy, TaskId, Work,
};

use super::by_hand::is_given_end;
use super::{Audit, Required};
use crate::hold;
use crate::violation::Check;

impl Audit {
    pub(super) fn inv_12_strategies(
        &mut self,
        required: Required,
        entry: &Entry,
        floor: &dyn Fn(TaskId) -> Option<Duration>,
    ) -> Check {
        let record = entry.record;
        let fits = match required {
            Required::Failure(task, fault) => {
                if let Record::BackedOff { .. } = record {
                    self.within_bounds(task, entry, floor(task))?;
                }
                self.after_failure(task, fault, &record)
            }
            Required::Cut(task, why, how) => {
                if let Record::BackedOff { .. } = record {
                    self.within_bounds(task, entry, Some(Duration::ZERO))?;
                }
                self.after_cut(task, why, how, &record)
            }
            Required::Answer(task, why, answer) => self.after_answer(task, why, answer, &record),
            Required::Override(task, end) => self.after_override(task, end, &record),
            Required::Removal(content, left) => self.after_removal(content, left, &record),
            Required::Ending(task) => {
                record
                    == Record::Ending {
                        why: EndingWhy::Abort(task),
                    }
            }
        };
        hold!(fits, 12, "strategies", "{record:?} follows {required:?}");
        if let Record::Failed { task, .. } = record
            && self.aborts(required)
            && self.ending.is_none()
        {
            self.required = Some(Required::Ending(task));
        }
        Ok(())
    }

    fn aborts(&self, required: Required) -> bool {
        let (Required::Failure(task, _)
        | Required::Cut(task, ..)
        | Required::Answer(task, ..)
        | Required::Override(task, _)
        | Required::Ending(task)) = required
        else {
            return false;
        };
        if self.facts.rules(task).finally {
            return false;
        }
        match required {
            Required::Failure(_, Fault::Budget) => false,
            Required::Failure(task, _) | Required::Cut(task, ..) => {
                matches!(self.facts.rules(task).on_failure, OnFailure::Abort)
            }
            Required::Answer(_, _, answer) => answer == Answer::Failure(FailureAnswer::Abort),
            Required::Override(..) | Required::Ending(_) | Required::Removal(..) => false,
        }
    }

    fn within_bounds(&self, task: TaskId, entry: &Entry, floor: Option<Duration>) -> Check {
        let Record::BackedOff { until, .. } = entry.record else {
            return Ok(());
        };
        let retry = self.facts.rules(task).retry;
        let micro = Duration::from_micros(1);
        let low = entry.at.after(
            retry
                .base
                .saturating_sub(micro)
                .max(floor.unwrap_or_default()),
        );
        let high = entry.at.after(
            retry
                .base
                .max(retry.cap)
                .max(floor.unwrap_or(Duration::MAX)),
        );
        hold!(
            (low..=high).contains(&until),
            12,
            "strategies",
            "{task} backs off until {until}, and should between {low} and {high}"
        );
        Ok(())
    }

    /// The tasks that a patch removes end at once, each before those that it depends on.
    fn after_removal(&mut self, content: ContentId, left: usize, record: &Record) -> bool {
        let Some((rest, task)) = left.checked_sub(1).zip(self.removed_at(content, left)) else {
            return false;
        };
        self.required = (rest > 0).then_some(Required::Removal(content, rest));
        self.removing = Some(task);
        let why = SkipWhy::Removed;
        *record == Record::Skipped { task, why }
    }

    fn removed_at(&self, content: ContentId, place: usize) -> Option<TaskId> {
        let removed = self.facts.removed.get(&content)?;
        removed.get(place.checked_sub(1)?).copied()
    }

    fn after_failure(&self, task: TaskId, fault: Fault, record: &Record) -> bool {
        let log = &self.task_logs[task.index()];
        let rules = self.facts.rules(task);
        if fault == Fault::Skipped {
            let why = match log.attempts {
                0 => SkipWhy::Condition,
                _ => SkipWhy::Executor,
            };
            return *record == Record::Skipped { task, why };
        }
        if fault == Fault::Interrupted {
            return self.facts.effect(task) == Effect::AtMostOnce && asks(record, task, fault);
        }
        let budget = u64::from(rules.retry.max_retries);
        let again = fault.is_retryable() && u64::from(log.failures) <= budget;
        if again {
            return matches!(*record, Record::BackedOff { task: t, .. } if t == task);
        }
        if fault == Fault::Budget {
            return match self.facts.header.policy.over_budget {
                OverBudget::Ask => asks(record, task, fault),
                OverBudget::Partial => *record == Record::Failed { task, why: fault },
            };
        }
        match &rules.on_failure {
            OnFailure::Abort | OnFailure::Skip => *record == Record::Failed { task, why: fault },
            OnFailure::Ask(_) => asks(record, task, fault),
            OnFailure::Value(_) if matches!(self.facts.work(task), Work::Question(_)) => {
                *record == Record::Failed { task, why: fault }
            }
            OnFailure::Value(_) => matches!(
                *record,
                Record::Completed { task: t, output: Output::Definition, .. } if t == task
            ),
            &OnFailure::Fallback(to) => {
                let why = fault;
                *record == Record::FellBack { task, to, why }
            }
        }
    }

    fn after_cut(&self, task: TaskId, why: Option<CutWhy>, how: CutHow, record: &Record) -> bool {
        if why == Some(CutWhy::Override) {
            let end = self.task_logs[task.index()].manual_end;
            return end.is_some_and(|end| is_given_end(task, end, record));
        }
        if let Some(ending) = self.ending
            && !self.facts.rules(task).finally
        {
            let why = ending.cancel_why();
            return *record == Record::Canceled { task, why };
        }
        let once = self.facts.effect(task) == Effect::AtMostOnce;
        match why {
            Some(CutWhy::Cancel(why)) => *record == Record::Canceled { task, why },
            Some(CutWhy::Suspend | CutWhy::Override) | None if once => {
                asks(record, task, Fault::Interrupted)
            }
            Some(CutWhy::Suspend | CutWhy::Override) | None => *record == Record::Readied { task },
            Some(_) if once && how != CutHow::Stopped => asks(record, task, Fault::Interrupted),
            Some(CutWhy::AttemptTimeout) => self.after_failure(task, Fault::AttemptTimeout, record),
            Some(CutWhy::IdleTimeout) => self.after_failure(task, Fault::IdleTimeout, record),
            Some(CutWhy::TaskTimeout) => self.after_failure(task, Fault::TaskTimeout, record),
        }
    }

    fn after_answer(&self, task: TaskId, why: AskWhy, answer: Answer, record: &Record) -> bool {
        let launched = match self.facts.work(task) {
            Work::Action { .. } => *record == Record::Readied { task },
            Work::Question(_) => matches!(
                *record,
                Record::Asked { task: t, why: AskWhy::Work, .. } if t == task
            ),
            Work::Milestone => matches!(*record, Record::Completed { task: t, .. } if t == task),
        };
        match (why, answer) {
            (AskWhy::Approve, Answer::Yes) => launched,
            (AskWhy::Approve, Answer::No) => {
                let why = SkipWhy::Declined;
                *record == Record::Skipped { task, why }
            }
            (AskWhy::Failure(Fault::Prepare), Answer::Failure(FailureAnswer::Retry)) => {
                *record == Record::Preparing { task }
            }
            (AskWhy::Failure(_), Answer::Failure(FailureAnswer::Retry)) => {
                *record == Record::Readied { task }
            }
            (AskWhy::Failure(why), Answer::Failure(_)) => *record == Record::Failed { task, why },
            (AskWhy::Work | AskWhy::Failure(_), Answer::Value(value)) => matches!(
                *record,
                Record::Completed { task: t, output, .. } if t == task && output == value
            ),
            (AskWhy::Approve | AskWhy::Work | AskWhy::Failure(_), _) => false,
        }
    }
}

fn asks(record: &Record, task: TaskId, fault: Fault) -> bool {
    matches!(
        *record,
        Record::Asked { task: t, why: AskWhy::Failure(f), .. } if t == task && f == fault
    )
}
