//! Answers: from what a person says to what the machine takes.

use serde_json::Value;
use zeph_executor::{MAX_VALUE_BYTES, check_value_size};
use zeph_graph::{Answer, AskWhy, ContentId, FailureAnswer, Output, QuestionId, Work};
use zeph_scheduler::{Input, InputOutcome, OpenQuestion};

use super::DagScheduler;

/// What is said to a question. Made by `into()` from a value, a `bool`, a text or a [`FailureAnswer`].
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A value: the result of the task. For "may it start?" it is `true` or `false`.
    Value(Value),
    /// What to do about a failure.
    Failure(FailureAnswer),
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}
impl From<bool> for Reply {
    fn from(yes: bool) -> Self {
        Self::Value(Value::Bool(yes))
    }
}
impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::Value(Value::from(text))
    }
}
impl From<FailureAnswer> for Reply {
    fn from(answer: FailureAnswer) -> Self {
        Self::Failure(answer)
    }
}

impl DagScheduler {
    /// Answers a question. What follows starts with the next tick.
    ///
    /// For a task that is a question, a text is read as a person's: "yes" answers a yes-or-no
    /// question, a choice may be given by its number. For "may it start?", `true` and `false`; for
    /// "it failed, what now?", a [`FailureAnswer`] or the value to go on with.
    ///
    /// [`InputOutcome::Rejected`] if the question does not accept the answer, or the value is larger than
    /// 1 MiB: it stays open. [`InputOutcome::Stale`] if the question is closed or was never asked.
    pub fn answer(&mut self, question: QuestionId, reply: impl Into<Reply>) -> InputOutcome {
        let open = self.questions().into_iter().find(|q| q.id == question);
        let Some(open) = open else {
            return InputOutcome::Stale;
        };
        let Some((answer, kept)) = self.read(open, reply.into()) else {
            return InputOutcome::Rejected;
        };
        let now = self.clock.now();
        let machine = self.stage.begin(&self.clock);
        let reception = machine.handle(now, Input::Answered { question, answer });
        if reception != InputOutcome::Accepted {
            self.contents.forget(kept);
        }
        reception
    }

    /// The open questions, oldest first.
    #[must_use]
    pub fn questions(&self) -> Vec<OpenQuestion> {
        let machine = self.stage.machine();
        machine.map_or_else(Vec::new, |machine| machine.questions().collect())
    }

    /// An open question in words, for a person. Task names are quoted and escaped; texts of the graph
    /// and of errors are as they are.
    #[must_use]
    pub fn question_text(&self, question: QuestionId) -> Option<String> {
        let open = self.questions().into_iter().find(|q| q.id == question)?;
        let task = self.graph().task(open.task);
        let name = task.name();
        Some(match open.why {
            AskWhy::Work => match task.work() {
                Work::Question(question) => question.text.clone(),
                Work::Milestone | Work::Action { .. } => format!("what is the result of {name:?}?"),
            },
            AskWhy::Approve => match &task.rules().approve {
                Some(approval) => approval.text.clone(),
                None => format!("may task {name:?} start?"),
            },
            AskWhy::Failure(fault) => {
                let error = self.error(open.task).unwrap_or(fault.word());
                format!(
                    "task {name:?} failed: {error}; retry, skip, abort, or which value instead?"
                )
            }
        })
    }

    /// The answer that the machine takes, and the content that was kept for it.
    fn read(&mut self, open: OpenQuestion, reply: Reply) -> Option<(Answer, Option<ContentId>)> {
        match (open.why, reply) {
            (AskWhy::Approve, Reply::Value(Value::Bool(true))) => Some((Answer::Yes, None)),
            (AskWhy::Approve, Reply::Value(Value::Bool(false))) => Some((Answer::No, None)),
            (AskWhy::Failure(_), Reply::Failure(answer)) => Some((Answer::Failure(answer), None)),
            (AskWhy::Failure(_), Reply::Value(value)) => self.keep_answer(value),
            (AskWhy::Work, Reply::Value(value)) => {
                let value = match self.graph().task(open.task).work() {
                    Work::Question(question) if question.accepts(&value) => value,
                    Work::Question(question) => question.check_answer(value.as_str()?).ok()?,
                    Work::Milestone | Work::Action { .. } => value,
                };
                self.keep_answer(value)
            }
            (AskWhy::Approve, Reply::Value(_) | Reply::Failure(_))
            | (AskWhy::Work, Reply::Failure(_)) => None,
        }
    }

    fn keep_answer(&mut self, value: Value) -> Option<(Answer, Option<ContentId>)> {
        check_value_size(&value, MAX_VALUE_BYTES).ok()?;
        let kept = self.contents.keep_value(value);
        let output = kept.map_or(Output::None, Output::Content);
        Some((Answer::Value(output), kept))
    }
}
