//! Ends: of attempts, of questions and of tasks.

use zeph_graph::{
    Answer, AskWhy, Attempt, CutWhy, Entry, FailureAnswer, Fault, OnFailure, Output, QuestionId,
    SkipWhy, TaskId, Timestamp, Trigger, Work,
};

use super::{Audit, Owed, Place};
use crate::hold;
use crate::violation::Check;

impl Audit {
    pub(super) fn attempt_ends(&mut self, task: TaskId, attempt: Attempt, entry: &Entry) -> Check {
        let book = &mut self.books[task.index()];
        hold!(
            matches!(book.place, Place::Running(running, _) if running == attempt),
            6,
            "only_current_attempt_counts",
            "{:?}, but it is {:?}",
            entry.record,
            book.place
        );
        book.place = Place::Between;
        self.pay_up(task)
    }

    /// Checks at a back-off that the task has no more failed attempts than retries, whatever started them.
    pub(super) fn backed_off(&mut self, task: TaskId, until: Timestamp) -> Check {
        let most = self.facts.rules(task).retry.max_retries;
        let book = &mut self.books[task.index()];
        hold!(
            book.failures <= most,
            8,
            "attempts_numbered",
            "{task} backs off after {} failures, of {most} retries",
            book.failures
        );
        book.place = Place::BackingOff(until);
        Ok(())
    }

    /// Applies a terminal record of a task, and closes its open question.
    pub(super) fn ends(&mut self, task: TaskId, completed: bool) -> Check {
        let book = &mut self.books[task.index()];
        hold!(
            !book.is_ended(),
            3,
            "ends_are_final",
            "{task} ends a second time"
        );
        if let Place::Asking(_) = book.place {
            self.open.retain(|_, &mut asked| asked != task);
        }
        book.place = Place::Ended { completed };
        Ok(())
    }

    pub(super) fn completed(&mut self, task: TaskId, output: Output) -> Check {
        let place = self.books[task.index()].place;
        let value = matches!(self.facts.rules(task).on_failure, OnFailure::Value(_));
        let fine = match place {
            Place::Running(_, None | Some(CutWhy::Suspend)) | Place::Between => true,
            Place::Waiting => {
                self.inv_01_dependencies_satisfied(task, &zeph_graph::Record::Opened)?;
                matches!(self.facts.work(task), Work::Milestone)
            }
            // The task's time limit expired between two attempts.
            Place::Ready(_) | Place::BackingOff(_) => value && output == Output::Definition,
            Place::Running(..) | Place::Asking(_) | Place::Ended { .. } => false,
        };
        hold!(
            fine,
            13,
            "records_explained",
            "{task} completes with {output:?} from {place:?}"
        );
        self.pay_up(task)?;
        self.ends(task, true)
    }

    pub(super) fn failed(&mut self, task: TaskId) -> Check {
        let book = &self.books[task.index()];
        hold!(
            book.attempts > 0 && !matches!(book.place, Place::Running(..) | Place::Asking(_)),
            13,
            "records_explained",
            "{task} fails from {:?}",
            book.place
        );
        // In `Place::Between` the record that follows the attempt decides whether the run aborts.
        // An exhausted budget only ends attempts.
        let by_itself = matches!(self.facts.rules(task).on_failure, OnFailure::Abort);
        if by_itself && self.ending.is_none() && book.place != Place::Between {
            self.owed = Some(Owed::Ending(task));
        }
        self.ends(task, false)
    }

    pub(super) fn skipped(&mut self, task: TaskId, why: SkipWhy) -> Check {
        let place = self.books[task.index()].place;
        let fine = match why {
            SkipWhy::Declined => place == Place::Between,
            SkipWhy::Upstream(parent) => {
                let spoiler = &self.books[parent.index()];
                place == Place::Waiting
                    && self.facts.rules(task).trigger == Trigger::AllSuccess
                    && self.facts.graph().parents(task).contains(&parent)
                    && spoiler.is_ended()
                    && !spoiler.is_completed()
            }
        };
        hold!(
            fine,
            12,
            "strategies",
            "{task} is skipped from {place:?} because of {why:?}"
        );
        self.ends(task, false)
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
        let book = &self.books[task.index()];
        let approve = self.facts.rules(task).approve.is_some();
        let fine = match (why, book.place) {
            (AskWhy::Approve, Place::Waiting) => approve,
            (AskWhy::Work, Place::Waiting) => !approve,
            (AskWhy::Work, Place::Between) => true,
            (AskWhy::Failure(_), Place::Between) => book.attempts > 0,
            (AskWhy::Failure(fault), Place::Ready(_) | Place::BackingOff(_)) => {
                fault == Fault::TaskTimeout
            }
            (AskWhy::Approve | AskWhy::Work | AskWhy::Failure(_), _) => false,
        };
        hold!(
            fine,
            13,
            "records_explained",
            "{task} asks {why:?} from {:?}",
            book.place
        );
        if !matches!(why, AskWhy::Failure(_)) {
            self.inv_01_dependencies_satisfied(task, &zeph_graph::Record::Opened)?;
        }
        self.books[task.index()].place = Place::Asking(why);
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
        let book = &mut self.books[task.index()];
        let Place::Asking(why) = book.place else {
            hold!(false, 13, "records_explained", "{task} is not asking");
            return Ok(());
        };
        hold!(
            !(by_default && matches!(why, AskWhy::Failure(Fault::Interrupted | Fault::Budget))),
            12,
            "strategies",
            "{task} may not be repeated without a person's word"
        );
        book.place = Place::Between;
        if answer == Answer::Failure(FailureAnswer::Retry) {
            book.manual_retries += 1;
        }
        self.owed = Some(Owed::Answer(task, why, answer));
        Ok(())
    }
}
