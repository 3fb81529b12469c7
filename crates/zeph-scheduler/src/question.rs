//! Questions: the consequences of an answer or of a default.

use std::time::Duration;

use zeph_graph::{
    Answer, AnsweredBy, AskWhy, ContentId, FailureAnswer, Fault, OnFailure, Output, QuestionId,
    Record, TaskId, Work,
};

use crate::input::InputOutcome;
use crate::machine::{Kind, Machine};
use crate::transitions::is_valid_answer;

impl Machine {
    pub(crate) fn on_answered(
        &mut self,
        question: QuestionId,
        answer: Answer,
        by: Option<ContentId>,
    ) -> InputOutcome {
        let Some(open) = self.questions.get(&question) else {
            return InputOutcome::Stale;
        };
        // The definition's value is an answer only if the definition has one.
        let default = || self.default_answer(question).map(|(_, default)| default);
        let unknown = answer == Answer::Value(Output::Definition) && default() != Some(answer);
        if unknown || !is_valid_answer(open.why, answer) {
            return InputOutcome::Rejected;
        }
        self.answer(question, answer, by.into());
        InputOutcome::Accepted
    }

    /// Answers with the default, since no answer arrived in time.
    pub(crate) fn answer_by_default(&mut self, question: QuestionId) {
        if let Some((_, answer)) = self.default_answer(question) {
            self.answer(question, answer, AnsweredBy::DEFAULT);
        }
    }

    fn answer(&mut self, question: QuestionId, answer: Answer, by: AnsweredBy) {
        let Some(open) = self.questions.get(&question).copied() else {
            return;
        };
        let task = open.task;
        self.record(Record::Answered {
            task,
            question,
            answer,
            by,
        });
        match answer {
            Answer::Yes => self.launch(task),
            Answer::No => {
                self.skip(task, zeph_graph::SkipWhy::Declined);
            }
            Answer::Failure(FailureAnswer::Retry)
                if open.why == AskWhy::Failure(Fault::Prepare) =>
            {
                self.trigger_fired(task);
            }
            Answer::Failure(FailureAnswer::Retry) => self.record(Record::Readied { task }),
            Answer::Failure(FailureAnswer::Skip) => self.fail(task, fault_of(open.why)),
            Answer::Failure(FailureAnswer::Abort) => self.abort(task, fault_of(open.why)),
            Answer::Value(output) => {
                self.record(Record::Completed {
                    task,
                    output,
                    log: None,
                });
                self.ended.push_back(task);
            }
        }
    }

    /// How long the question waits before its default is used.
    pub(crate) fn question_wait(&self, question: QuestionId) -> Option<Duration> {
        self.default_answer(question).map(|(wait, _)| wait)
    }

    pub(crate) fn default_answer(&self, question: QuestionId) -> Option<(Duration, Answer)> {
        let open = self.questions.get(&question)?;
        let task = self.graph.task(open.task);
        match open.why {
            AskWhy::Work => match task.work() {
                Work::Question(question) => {
                    let (wait, _) = question.fallback.as_ref()?;
                    Some((*wait, Answer::Value(Output::Definition)))
                }
                Work::Milestone | Work::Action { .. } => None,
            },
            AskWhy::Approve => {
                let (wait, yes) = task.rules().approve.as_ref()?.default_answer()?;
                Some((wait, if yes { Answer::Yes } else { Answer::No }))
            }
            // The policy decides about budgets, so the default of the strategy does not apply.
            AskWhy::Failure(Fault::Budget) => None,
            AskWhy::Failure(fault) => match &task.rules().on_failure {
                OnFailure::Ask(ask) => {
                    let (wait, answer) = ask.fallback?;
                    // An at-most-once task is never repeated without a decision of a person.
                    let repeats = answer == FailureAnswer::Retry;
                    let is_allowed = fault != Fault::Interrupted || !repeats;
                    is_allowed.then_some((wait, Answer::Failure(answer)))
                }
                OnFailure::Abort
                | OnFailure::Skip
                | OnFailure::Value(_)
                | OnFailure::Fallback(_) => None,
            },
        }
    }

    /// Starts the work of a task whose trigger has fired and which is approved.
    pub(crate) fn launch(&mut self, task: TaskId) {
        match self.flags[task.index()].kind {
            Kind::Action => self.record(Record::Readied { task }),
            Kind::Question => self.ask(task, AskWhy::Work),
            Kind::Milestone => {
                self.record(Record::Completed {
                    task,
                    output: Output::None,
                    log: None,
                });
                self.ended.push_back(task);
            }
        }
    }
}

/// The failure that a question is about.
fn fault_of(why: AskWhy) -> Fault {
    match why {
        AskWhy::Failure(fault) => fault,
        AskWhy::Work | AskWhy::Approve => Fault::Refused,
    }
}
