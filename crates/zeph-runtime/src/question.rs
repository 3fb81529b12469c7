//! Questions for people: the text, the accepted answers, and the default.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;
use zeph_graph::{Answer, AnswerKind, AskWhy, FailureAnswer, Fault, Question, Timestamp, Work};
use zeph_scheduler::{OpenQuestion, Scheduler};

use crate::driver;

/// An open question, with all data that a display or a form needs.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionView {
    /// Its number in the run.
    pub id: u32,
    /// The name of the task that waits for the answer.
    pub task: String,
    /// What it is about: `work`, `approve` or `failure` in JSON.
    pub about: AskWhy,
    /// The question's text, untrusted.
    pub text: String,
    /// The error of the task's last attempt, for a question about a failure. `None` in a view of a
    /// stored run, which reads no contents. Untrusted text.
    pub error: Option<Arc<str>>,
    /// The accepted answers.
    pub accepts: Accepts,
    /// The default answer, which is used when no other arrives in time.
    pub default: Option<String>,
    /// When the default answer is used.
    pub default_at: Option<Timestamp>,
}

/// The answers that a question accepts. Its `Display` is the form for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    YesNo,
    /// One of these, by its name, its beginning or its number from 1.
    Choice(Vec<String>),
    /// `retry`, `skip`, `abort`, or `value:` followed by JSON.
    Failure,
}

impl Accepts {
    /// The choices, if their number is limited.
    #[must_use]
    pub fn choices(&self) -> Vec<&str> {
        match self {
            Self::Text | Self::Number => Vec::new(),
            Self::YesNo => vec!["yes", "no"],
            Self::Choice(choices) => choices.iter().map(String::as_str).collect(),
            Self::Failure => FailureAnswer::WORDS.to_vec(),
        }
    }
}

impl From<&AnswerKind> for Accepts {
    fn from(kind: &AnswerKind) -> Self {
        match kind {
            AnswerKind::Text => Self::Text,
            AnswerKind::Number => Self::Number,
            AnswerKind::YesNo => Self::YesNo,
            AnswerKind::Choice { choices } => Self::Choice(choices.clone()),
        }
    }
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("any text"),
            Self::Number => f.write_str("a number"),
            Self::YesNo => f.write_str("yes or no"),
            Self::Choice(choices) => write!(f, "one of: {}", choices.join(", ")),
            Self::Failure => f.write_str("retry, skip, abort, or value:JSON"),
        }
    }
}

impl QuestionView {
    /// The answers that are one word: its choices, and `happened` about an interrupted attempt.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        let mut words = self.accepts.choices();
        if self.about == AskWhy::Failure(Fault::Interrupted) {
            words.insert(1, driver::HAPPENED);
        }
        words
    }

    /// An open question of this scheduler. `error` is the text of the task's last error.
    #[must_use]
    pub fn new(scheduler: &Scheduler, open: &OpenQuestion, error: Option<Arc<str>>) -> Self {
        let task = scheduler.graph().task(open.task);
        let default = scheduler.default_answer(open.id);
        let (text, accepts) = match open.why {
            AskWhy::Work => {
                let question = match task.work() {
                    Work::Question(question) => (**question).clone(),
                    Work::Milestone | Work::Action { .. } => Question::text(""),
                };
                (question.text, Accepts::from(&question.kind))
            }
            AskWhy::Approve => {
                let approval = task.rules().approve.as_ref();
                let text = approval.map(|a| a.question(task.name()));
                let text = text.unwrap_or_default();
                (text, Accepts::YesNo)
            }
            AskWhy::Failure(fault) => {
                let name = task.name();
                let text = match fault {
                    Fault::Interrupted => format!(
                        "Task {name} was interrupted, and it is not known whether it took effect. What now?"
                    ),
                    Fault::AttemptTimeout | Fault::IdleTimeout | Fault::TaskTimeout => {
                        format!("Task {name} {}. What now?", fault.text(task.rules()))
                    }
                    Fault::Error
                    | Fault::Permanent
                    | Fault::Refused
                    | Fault::Panicked
                    | Fault::Skipped
                    | Fault::Item
                    | Fault::Prepare
                    | Fault::Budget => format!("Task {name} failed ({fault}). What now?"),
                };
                (text, Accepts::Failure)
            }
        };
        let is_failure = matches!(open.why, AskWhy::Failure(_));
        Self {
            id: open.id.get(),
            task: task.name().to_owned(),
            about: open.why,
            text,
            error: error.filter(|_| is_failure),
            accepts,
            default_at: default.as_ref().map(|(wait, _)| open.since.after(*wait)),
            default: default.map(|(_, answer)| {
                let value = driver::defined_value(scheduler.graph(), open.task);
                answer_text(answer, &value, task.work())
            }),
        }
    }
}

/// The value of an answered question as a person types it. Only a question with yes or no has a `bool`.
#[must_use]
pub fn value_text(value: &Value) -> String {
    match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// An answer as a person types it. `value` is that of an [`Answer::Value`].
pub(crate) fn answer_text(answer: Answer, value: &Value, work: &Work) -> String {
    match (answer, work) {
        (Answer::Yes, _) => "yes".to_owned(),
        (Answer::No, _) => "no".to_owned(),
        (Answer::Failure(answer), _) => answer.to_string(),
        (Answer::Value(_), Work::Question(_)) => value_text(value),
        (Answer::Value(_), Work::Milestone | Work::Action { .. }) => format!("value:{value}"),
    }
}

/// The JSON form: the kind of the accepted answers as a word, and the choices.
impl Serialize for QuestionView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            id: u32,
            task: &'a str,
            about: &'static str,
            text: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'a str>,
            accepts: String,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            choices: Vec<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            default: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            default_at_us: Option<u64>,
        }
        let json = Json {
            id: self.id,
            task: &self.task,
            about: match self.about {
                AskWhy::Work => "work",
                AskWhy::Approve => "approve",
                AskWhy::Failure(_) => "failure",
            },
            text: &self.text,
            error: self.error.as_deref(),
            accepts: self.accepts.to_string(),
            choices: self.accepts.choices(),
            default: self.default.as_deref(),
            default_at_us: self.default_at.map(Timestamp::as_micros),
        };
        json.serialize(serializer)
    }
}
