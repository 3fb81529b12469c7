//! Answers: from a person's text or a program's value to the scheduler's input.

use serde_json::Value;
use zeph_executor::check_value_size;
use zeph_graph::{
    Answer, AnsweredBy, AskWhy, ContentId, FailureAnswer, Fault, Output, Question, QuestionId,
    Timestamp, Work,
};
use zeph_scheduler::{Input, InputOutcome, OpenQuestion, Scheduler};

use super::Contents;

/// The answer about an interrupted attempt that took effect: its task is completed, without a result.
pub(crate) const HAPPENED: &str = "happened";

/// A reply to a question. Converted by `into()` from a value, a `bool`, a text or a [`FailureAnswer`].
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// What a person typed. Read by the rules of the question: `yes` answers a yes-or-no question, a
    /// choice can be given by its number, `value:JSON` replaces a failed task's result, `happened` completes an
    /// interrupted task without one.
    Text(String),
    /// A value: the result of the task. For an approval it is `true` or `false`. A text as the answer
    /// of a question is read like [`Text`](Self::Text).
    Value(Value),
    /// The decision about a failure.
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

/// Why a reply does not answer a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The question is closed, or was never asked.
    #[error("the question is not open")]
    NotOpen,
    /// The question does not accept the reply; it stays open.
    #[error("{0}")]
    NotAccepted(String),
}

/// A reply to a question of a run, with who gives it if that is known.
#[derive(Clone, Debug)]
pub struct GivenReply<T> {
    /// The question.
    pub question: QuestionId,
    /// The reply.
    pub reply: Reply,
    /// The content that describes who gives it.
    pub by: Option<T>,
}

/// Answers an open question. A value is interned in the form that `content` gives it, and so is the
/// description of who answers.
///
/// # Errors
/// If the question is not open, does not accept the reply, or the value is larger than `max_bytes`.
pub fn answer<T>(
    scheduler: &mut Scheduler,
    contents: &mut Contents<T>,
    now: Timestamp,
    given: GivenReply<T>,
    max_bytes: usize,
    content: impl FnOnce(Value) -> T,
) -> Result<InputOutcome, AnswerError> {
    let GivenReply {
        question,
        reply,
        by,
    } = given;
    let open = scheduler.questions().find(|open| open.id == question);
    let open = open.ok_or(AnswerError::NotOpen)?;
    let parsed = parse(scheduler, &open, reply).map_err(AnswerError::NotAccepted)?;
    let answer = match parsed {
        Parsed::Answer(answer) => answer,
        Parsed::Value(value) => {
            let output = intern_value(contents, value, max_bytes, content);
            Answer::Value(output.map_err(AnswerError::NotAccepted)?)
        }
    };
    let value = if let Answer::Value(output) = answer {
        output.content()
    } else {
        None
    };
    Ok(decide(scheduler, contents, now, value, by, |by| {
        Input::Answered {
            question,
            answer,
            by,
        }
    }))
}

/// Interns the value that a person gives; the null value needs no content.
pub(super) fn intern_value<T>(
    contents: &mut Contents<T>,
    value: Value,
    max_bytes: usize,
    content: impl FnOnce(Value) -> T,
) -> Result<Output, String> {
    if value.is_null() {
        return Ok(Output::None);
    }
    check_value_size(&value, max_bytes).map_err(|error| error.message().to_owned())?;
    Ok(Output::Content(contents.intern(content(value))))
}

/// Passes the decision of a person on, and forgets the contents that no record refers to.
pub(super) fn decide<T>(
    scheduler: &mut Scheduler,
    contents: &mut Contents<T>,
    now: Timestamp,
    value: Option<ContentId>,
    by: Option<T>,
    input: impl FnOnce(Option<ContentId>) -> Input,
) -> InputOutcome {
    let by = by.map(|by| contents.intern(by));
    let outcome = scheduler.handle(now, input(by));
    let is_accepted = outcome == InputOutcome::Accepted;
    // A record has no room for a very high number.
    let is_noted = is_accepted && AnsweredBy::from(by).content().is_some();
    if let Some(id) = by.filter(|_| !is_noted) {
        contents.forget(id);
    }
    if let Some(id) = value.filter(|_| !is_accepted) {
        contents.forget(id);
    }
    outcome
}

/// Checks a person's text against an open question, without answering it.
///
/// # Errors
/// As [`answer`], except for the size of the value.
pub fn check_answer(
    scheduler: &Scheduler,
    question: QuestionId,
    text: &str,
) -> Result<(), AnswerError> {
    let open = scheduler.questions().find(|open| open.id == question);
    let open = open.ok_or(AnswerError::NotOpen)?;
    parse(scheduler, &open, Reply::Text(text.to_owned()))
        .map(drop)
        .map_err(AnswerError::NotAccepted)
}

#[derive(Debug, PartialEq)]
enum Parsed {
    Answer(Answer),
    /// A value, to be interned first.
    Value(Value),
}

fn parse(scheduler: &Scheduler, open: &OpenQuestion, reply: Reply) -> Result<Parsed, String> {
    match (open.why, reply) {
        (AskWhy::Work, Reply::Text(text)) => typed(question(scheduler, open)?, &text),
        (AskWhy::Work, Reply::Value(value)) => {
            let question = question(scheduler, open)?;
            if question.accepts(&value) {
                return Ok(Parsed::Value(value));
            }
            match value.as_str() {
                Some(text) => typed(question, text),
                None => Err(format!("the question does not accept {value}")),
            }
        }
        (AskWhy::Work, Reply::Failure(_)) => {
            Err("the task has not failed: answer its question".into())
        }
        (AskWhy::Approve, Reply::Text(text)) => {
            let value = Question::confirm("").check_answer(&text);
            let value = value.map_err(|error| error.to_string())?;
            Ok(approval(value == Value::Bool(true)))
        }
        (AskWhy::Approve, Reply::Value(Value::Bool(yes))) => Ok(approval(yes)),
        (AskWhy::Approve, Reply::Value(_) | Reply::Failure(_)) => {
            Err("an approval is answered with true or false".into())
        }
        (AskWhy::Failure(fault), Reply::Text(text)) => failure_text(fault, &text),
        (AskWhy::Failure(_), Reply::Value(value)) => Ok(Parsed::Value(value)),
        (AskWhy::Failure(_), Reply::Failure(answer)) => Ok(failure(answer)),
    }
}

fn question<'a>(scheduler: &'a Scheduler, open: &OpenQuestion) -> Result<&'a Question, String> {
    match scheduler.graph().task(open.task).work() {
        Work::Question(question) => Ok(question),
        Work::Milestone | Work::Action { .. } => Err("this task is not a question".into()),
    }
}

/// Reads what a person typed.
fn typed(question: &Question, text: &str) -> Result<Parsed, String> {
    let value = question.check_answer(text);
    value.map(Parsed::Value).map_err(|error| error.to_string())
}

fn approval(yes: bool) -> Parsed {
    Parsed::Answer(if yes { Answer::Yes } else { Answer::No })
}

const fn failure(answer: FailureAnswer) -> Parsed {
    Parsed::Answer(Answer::Failure(answer))
}

fn failure_text(fault: Fault, text: &str) -> Result<Parsed, String> {
    let text = text.trim();
    let is_interrupted = fault == Fault::Interrupted;
    if is_interrupted && text == HAPPENED {
        return Ok(Parsed::Value(Value::Null));
    }
    if let Ok(answer) = text.parse() {
        return Ok(failure(answer));
    }
    match text.strip_prefix("value:") {
        Some(json) => serde_json::from_str(json.trim())
            .map(Parsed::Value)
            .map_err(|error| format!("the text after `value:` is not JSON: {error}")),
        None => {
            let happened = if is_interrupted { "happened, " } else { "" };
            Err(format!(
                "{text:?} is not an answer: expected retry, {happened}skip, abort or value:JSON"
            ))
        }
    }
}
