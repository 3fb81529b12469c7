//! Questions: what an answer, or the lack of one, leads to.

use std::time::Duration;

use zeph_graph::{
    Answer, AskWhy, FailureAnswer, Fault, OnFailure, Output, QuestionId, Record, TaskId, Work,
};

use crate::admit::fits;
use crate::input::InputOutcome;
use crate::machine::{Kind, Machine};

impl Machine {
    pub(crate) fn on_answered(&mut self, question: QuestionId, answer: Answer) -> InputOutcome {
        let Some(open) = self.questions.get(&question) else {
            return InputOutcome::Stale;
        };
        // Nobody can answer with a value of the definition that the definition does not have.
        let default = || self.default_answer(question).map(|(_, default)| default);
        let unknown = answer == Answer::Value(Output::Definition) && default() != Some(answer);
        if unknown || !fits(open.why, answer) {
            return InputOutcome::Rejected;
        }
        self.answer(question, answer, false);
        InputOutcome::Accepted
    }

    /// Nobody answered in time.
    pub(crate) fn answer_by_default(&mut self, question: QuestionId) {
        if let Some((_, answer)) = self.default_answer(question) {
            self.answer(question, answer, true);
        }
    }

    fn answer(&mut self, question: QuestionId, answer: Answer, by_default: bool) {
        let Some(open) = self.questions.get(&question).copied() else {
            return;
        };
        let task = open.task;
        self.record(Record::Answered {
            task,
            question,
            answer,
            by_default,
        });
        match answer {
            Answer::Yes => self.launch(task),
            Answer::No => {
                self.record(Record::Skipped {
                    task,
                    why: zeph_graph::SkipWhy::Declined,
                });
                self.spread.push_back(task);
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
                self.spread.push_back(task);
            }
        }
    }

    /// How long the question waits before its default counts.
    pub(crate) fn question_wait(&self, question: QuestionId) -> Option<Duration> {
        self.default_answer(question).map(|(wait, _)| wait)
    }

    fn default_answer(&self, question: QuestionId) -> Option<(Duration, Answer)> {
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
                let (wait, yes) = task.rules().approve.as_ref()?.fallback?;
                Some((wait, if yes { Answer::Yes } else { Answer::No }))
            }
            // What must not happen twice is never repeated without a person's word.
            AskWhy::Failure(Fault::Interrupted) => None,
            // The strategy does not speak for a budget, so its default does not either.
            AskWhy::Failure(Fault::Budget) => None,
            AskWhy::Failure(_) => match &task.rules().on_failure {
                OnFailure::Ask(ask) => {
                    let (wait, answer) = ask.fallback?;
                    Some((wait, Answer::Failure(answer)))
                }
                OnFailure::Abort | OnFailure::Skip | OnFailure::Value(_) => None,
            },
        }
    }

    /// May start now, as far as parents and people are concerned.
    pub(crate) fn launch(&mut self, task: TaskId) {
        match self.traits[task.index()].kind {
            Kind::Action => self.record(Record::Readied { task }),
            Kind::Question => self.ask(task, AskWhy::Work),
            Kind::Milestone => {
                self.record(Record::Completed {
                    task,
                    output: Output::None,
                    log: None,
                });
                self.spread.push_back(task);
            }
        }
    }
}

/// What the failed task is said to have failed by.
fn fault_of(why: AskWhy) -> Fault {
    match why {
        AskWhy::Failure(fault) => fault,
        AskWhy::Work | AskWhy::Approve => Fault::Refused,
    }
}
