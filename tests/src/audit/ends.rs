//! Ends: of attempts, of questions and of tasks.

use zeph_graph::{
    Answer, AskWhy, Attempt, CutWhy, Entry, FailureAnswer, Fault, OnFailure, Output, QuestionId,
    Record, SkipWhy, SuppliedWhy, TaskId, Timestamp, Trigger, Work,
};

use super::{Audit, LogEnd, LogState, Required, TaskLog};
use crate::hold;
use crate::violation::Check;

impl Audit {
    pub(super) fn attempt_ends(&mut self, task: TaskId, attempt: Attempt, entry: &Entry) -> Check {
        let log = &mut self.task_logs[task.index()];
        hold!(
            matches!(log.state, LogState::Running(running, _) if running == attempt),
            6,
            "only_current_attempt_counts",
            "{:?}, but it is {:?}",
            entry.record,
            log.state
        );
        log.state = LogState::Between;
        self.charge_held(task)
    }

    /// Checks at a back-off that the task has no more failed attempts than retries, whatever started them.
    pub(super) fn backed_off(&mut self, task: TaskId, until: Timestamp) -> Check {
        let most = self.facts.rules(task).retry.max_retries;
        let log = &mut self.task_logs[task.index()];
        hold!(
            log.failures <= most,
            8,
            "attempts_numbered",
            "{task} backs off after {} failures, of {most} retries",
            log.failures
        );
        log.state = LogState::BackingOff(until);
        Ok(())
    }

    /// Applies a terminal record of a task, and closes its open question.
    pub(super) fn ends(&mut self, task: TaskId, end: LogEnd) -> Check {
        let log = &mut self.task_logs[task.index()];
        hold!(
            !log.is_ended(),
            3,
            "ends_are_final",
            "{task} ends a second time"
        );
        if let LogState::Asking(_) = log.state {
            self.open.retain(|_, &mut asked| asked != task);
        }
        log.state = LogState::Ended(end);
        Ok(())
    }

    pub(super) fn completed(&mut self, task: TaskId, output: Output) -> Check {
        let state = self.task_logs[task.index()].state;
        let value = matches!(self.facts.rules(task).on_failure, OnFailure::Value(_));
        let fine = match state {
            LogState::Running(_, None | Some(CutWhy::Suspend)) | LogState::Between => true,
            LogState::Waiting | LogState::Preparing => {
                self.inv_01_dependencies_satisfied(task, &zeph_graph::Record::Opened)?;
                matches!(self.facts.work(task), Work::Milestone) && self.is_prepared(task)
            }
            // The task's time limit expired between two attempts.
            LogState::Ready(_) | LogState::BackingOff(_) => value && output == Output::Definition,
            LogState::Mapping => {
                value && output == Output::Definition && self.items_allow(task, true)
            }
            LogState::FallingBack(to) => self.task_logs[to.index()].is_completed(),
            LogState::Running(..) | LogState::Asking(_) | LogState::Ended(_) => false,
        };
        hold!(
            fine,
            13,
            "records_explained",
            "{task} completes with {output:?} from {state:?}"
        );
        self.charge_held(task)?;
        self.ends(task, LogEnd::Completed)
    }

    /// A result of an earlier run comes at the start, and after those of the parents, or from a preparation.
    pub(super) fn inv_25_supplied_in_time(&mut self, task: TaskId, record: &Record) -> Check {
        let parents = self.facts.graph().parents(task);
        let mut logs = parents.iter().map(|parent| &self.task_logs[parent.index()]);
        let state = self.task_logs[task.index()].state;
        let is_kept = matches!(
            record,
            Record::Supplied {
                why: SuppliedWhy::Kept,
                ..
            }
        );
        let at_the_start = self.starting
            && is_kept
            && state == LogState::Waiting
            && !self.facts.rules(task).finally
            && self.facts.users[task.index()].is_none()
            && logs.all(TaskLog::is_completed);
        hold!(
            at_the_start || state == LogState::Preparing,
            25,
            "supplied_in_time",
            "{record:?} from {state:?}"
        );
        self.ends(task, LogEnd::Completed)
    }

    pub(super) fn failed(&mut self, task: TaskId) -> Check {
        let log = &self.task_logs[task.index()];
        let fine = match log.state {
            LogState::Mapping => self.items_allow(task, true),
            LogState::FallingBack(to) => {
                let fallback = &self.task_logs[to.index()];
                fallback.is_ended() && !fallback.is_completed()
            }
            LogState::Running(..) | LogState::Asking(_) => false,
            LogState::Waiting
            | LogState::Preparing
            | LogState::Ready(_)
            | LogState::Between
            | LogState::BackingOff(_)
            | LogState::Ended(_) => log.attempts > 0 || log.is_unprepared,
        };
        hold!(
            fine,
            13,
            "records_explained",
            "{task} fails from {:?}",
            log.state
        );
        // In `LogState::Between` the record that follows the attempt decides whether the run aborts.
        // An exhausted budget only ends attempts.
        let by_itself = matches!(self.facts.rules(task).on_failure, OnFailure::Abort);
        let by_itself = by_itself && !self.facts.rules(task).finally;
        if by_itself && self.ending.is_none() && log.state != LogState::Between {
            self.required = Some(Required::Ending(task));
        }
        self.ends_failed(task)
    }

    /// A patch removes a task that has no attempt and no end.
    fn inv_29_removed_before_start(&mut self, task: TaskId) -> Check {
        let log = &self.task_logs[task.index()];
        let has_begun = log.attempts > 0 || log.is_unprepared;
        let state = log.state;
        let is_asked_first = matches!(state, LogState::Asking(AskWhy::Work | AskWhy::Approve));
        let is_open = matches!(
            state,
            LogState::Waiting | LogState::Preparing | LogState::Ready(_)
        );
        let fits = self.removing.take() == Some(task);
        hold!(
            fits && !has_begun && (is_open || is_asked_first),
            29,
            "removed_before_start",
            "{task} is removed from {state:?}"
        );
        self.ends(task, LogEnd::Skipped)
    }

    pub(super) fn skipped(&mut self, task: TaskId, why: SkipWhy) -> Check {
        let state = self.task_logs[task.index()].state;
        let rules = self.facts.rules(task);
        let parents = self.facts.graph().parents(task);
        let log_of = |parent: TaskId| &self.task_logs[parent.index()];
        let all_ended = || parents.iter().all(|&parent| log_of(parent).is_ended());
        let none = |end| !parents.iter().any(|&parent| log_of(parent).ended_as(end));
        let fine = match why {
            SkipWhy::Declined | SkipWhy::Executor => state == LogState::Between,
            SkipWhy::Condition => {
                state == LogState::Between && self.task_logs[task.index()].is_unprepared
            }
            SkipWhy::Override | SkipWhy::Withdrawn => {
                let given = self.task_logs[task.index()].manual_end;
                return match (state, given) {
                    (LogState::Between, Some(end)) if end.skip_why() == Some(why) => {
                        self.ends(task, LogEnd::Skipped)
                    }
                    (_, _) => {
                        hold!(
                            false,
                            26,
                            "given_ends_count",
                            "{task} is skipped from {state:?}"
                        );
                        Ok(())
                    }
                };
            }
            SkipWhy::NotNeeded => {
                let user = self.facts.users[task.index()];
                state == LogState::Waiting && user.is_some_and(|user| log_of(user).is_ended())
            }
            SkipWhy::Removed => return self.inv_29_removed_before_start(task),
            SkipWhy::NoFailure => {
                let is_over = all_ended() && none(LogEnd::Failed);
                state == LogState::Waiting && rules.trigger == Trigger::AnyFailed && is_over
            }
            SkipWhy::Upstream(parent) => {
                let spoiler = log_of(parent);
                let cannot_fire = match rules.trigger {
                    Trigger::AllSuccess => true,
                    Trigger::NoneFailed => spoiler.ended_as(LogEnd::Failed),
                    Trigger::AnySuccess => all_ended() && none(LogEnd::Completed),
                    Trigger::AllDone | Trigger::AnyFailed => false,
                };
                state == LogState::Waiting
                    && cannot_fire
                    && parents.contains(&parent)
                    && spoiler.is_ended()
                    && !spoiler.is_completed()
            }
        };
        let fine = fine && (!rules.finally || self.is_work_over());
        hold!(
            fine,
            12,
            "strategies",
            "{task} is skipped from {state:?} because of {why:?}"
        );
        self.ends(task, LogEnd::Skipped)
    }

    pub(super) fn asked(&mut self, task: TaskId, question: QuestionId, why: AskWhy) -> Check {
        self.questions += 1;
        hold!(
            question.get() == self.questions,
            8,
            "attempts_numbered",
            "question {question} is the {}. one",
            self.questions
        );
        let is_prepared = self.is_prepared(task);
        let log = &self.task_logs[task.index()];
        let approve = self.facts.rules(task).approve.is_some();
        let fine = match (why, log.state) {
            (AskWhy::Approve, LogState::Waiting | LogState::Preparing) => approve && is_prepared,
            (AskWhy::Work, LogState::Waiting | LogState::Preparing) => !approve && is_prepared,
            (AskWhy::Work, LogState::Between) => true,
            (AskWhy::Failure(_), LogState::Between) => log.attempts > 0 || log.is_unprepared,
            (AskWhy::Failure(fault), LogState::Ready(_) | LogState::BackingOff(_)) => {
                fault == Fault::TaskTimeout
            }
            (AskWhy::Approve | AskWhy::Work | AskWhy::Failure(_), _) => false,
        };
        hold!(
            fine,
            13,
            "records_explained",
            "{task} asks {why:?} from {:?}",
            log.state
        );
        if !matches!(why, AskWhy::Failure(_)) {
            self.inv_01_dependencies_satisfied(task, &zeph_graph::Record::Opened)?;
        }
        self.task_logs[task.index()].state = LogState::Asking(why);
        self.open.insert(question, task);
        let asks = &mut self.expected.asks;
        let (_, least, most) = asks.entry(question).or_insert((task, 0, 0));
        (*least, *most) = (*least + 1, *most + 1);
        Ok(())
    }

    pub(super) fn answered(
        &mut self,
        task: TaskId,
        question: QuestionId,
        answer: Answer,
        by_default: bool,
    ) -> Check {
        hold!(
            self.open.remove(&question) == Some(task),
            3,
            "ends_are_final",
            "question {question} of {task} is answered and is not open"
        );
        let log = &mut self.task_logs[task.index()];
        let LogState::Asking(why) = log.state else {
            hold!(false, 13, "records_explained", "{task} is not asking");
            return Ok(());
        };
        let is_persons = why == AskWhy::Failure(Fault::Budget)
            || (why == AskWhy::Failure(Fault::Interrupted)
                && answer == Answer::Failure(FailureAnswer::Retry));
        hold!(
            !(by_default && is_persons),
            12,
            "strategies",
            "{task} may not be repeated without a person's word"
        );
        log.state = LogState::Between;
        if answer == Answer::Failure(FailureAnswer::Retry) {
            log.manual_retries += 1;
        }
        self.required = Some(Required::Answer(task, why, answer));
        Ok(())
    }
}
