//! Answers: from what a person typed to what the machine takes.

use serde::Serialize;
use serde_json::Value;
use zeph_graph::{
    Answer, AnswerKind, AskWhy, FailureAnswer, OnFailure, Output, Question, TaskState, Timestamp,
    Work,
};
use zeph_scheduler::{OpenQuestion, Scheduler};

/// An open question as people see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuestionView {
    /// Its number in the run.
    pub id: u32,
    /// The task that waits for it.
    pub task: String,
    /// What it is about: `work`, `approve` or `failure`.
    pub about: &'static str,
    /// What is asked.
    pub text: String,
    /// What is accepted, in words.
    pub accepts: String,
    /// The accepted choices, when there are only so many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The answer that counts when nobody gives one in time, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// When that is, in microseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_at_us: Option<u64>,
}

/// What an answer comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Plain(Answer),
    /// A value, to be stored as a content first.
    Value(Value),
}

/// Reads a person's text as an answer to this question.
pub(crate) fn read(
    scheduler: &Scheduler,
    open: &OpenQuestion,
    text: &str,
) -> Result<Verdict, String> {
    let task = scheduler.graph().task(open.task);
    match open.why {
        AskWhy::Work => match task.work() {
            Work::Question(question) => question
                .check_answer(text)
                .map(Verdict::Value)
                .map_err(|e| e.to_string()),
            Work::Milestone | Work::Action { .. } => Err("this task asks nothing".into()),
        },
        AskWhy::Approve => {
            let value = Question::confirm("")
                .check_answer(text)
                .map_err(|e| e.to_string())?;
            Ok(Verdict::Plain(if value == Value::Bool(true) {
                Answer::Yes
            } else {
                Answer::No
            }))
        }
        AskWhy::Failure(_) => read_failure(text),
    }
}

fn read_failure(text: &str) -> Result<Verdict, String> {
    let plain = |answer| Ok(Verdict::Plain(Answer::Failure(answer)));
    match text.trim() {
        "retry" => plain(FailureAnswer::Retry),
        "skip" => plain(FailureAnswer::Skip),
        "abort" => plain(FailureAnswer::Abort),
        other => match other.strip_prefix("value:") {
            Some(json) => serde_json::from_str(json.trim())
                .map(Verdict::Value)
                .map_err(|e| format!("what follows `value:` is not JSON: {e}")),
            None => Err(format!(
                "{other:?} is not an answer: say retry, skip, abort or value:JSON"
            )),
        },
    }
}

/// The question for people.
pub(crate) fn view(scheduler: &Scheduler, open: &OpenQuestion) -> QuestionView {
    let task = scheduler.graph().task(open.task);
    let mut choices = Vec::new();
    let (about, text, accepts, default) = match open.why {
        AskWhy::Work => {
            let question = match task.work() {
                Work::Question(question) => (**question).clone(),
                Work::Milestone | Work::Action { .. } => Question::text(""),
            };
            let accepts = accepts(&question.kind);
            if let AnswerKind::Choice(all) = question.kind {
                choices = all;
            }
            let default = question.fallback;
            let default = default.map(|(wait, value)| (wait, value.json_text().to_owned()));
            ("work", question.text, accepts, default)
        }
        AskWhy::Approve => {
            let approval = task.rules().approve.as_ref();
            let text = approval.map(|a| a.text.clone()).unwrap_or_default();
            let default = approval.and_then(|a| a.fallback);
            let default =
                default.map(|(wait, yes)| (wait, String::from(if yes { "yes" } else { "no" })));
            choices = vec!["yes".into(), "no".into()];
            ("approve", text, "yes or no".into(), default)
        }
        AskWhy::Failure(fault) => {
            let text = format!("Task {} failed ({fault}). What now?", task.name());
            let default = match &task.rules().on_failure {
                OnFailure::Ask(ask) => ask.fallback,
                OnFailure::Abort | OnFailure::Skip | OnFailure::Value(_) => None,
            };
            let default = default.map(|(wait, answer)| (wait, answer.to_string()));
            choices = FailureAnswer::WORDS
                .iter()
                .map(|&word| word.into())
                .collect();
            (
                "failure",
                text,
                "retry, skip, abort, or value:JSON".into(),
                default,
            )
        }
    };
    let due = |wait| Timestamp::as_micros(open.since.after(wait));
    QuestionView {
        id: open.id.get(),
        task: task.name().to_owned(),
        about,
        text,
        accepts,
        choices,
        default_at_us: default.as_ref().map(|(wait, _)| due(*wait)),
        default: default.map(|(_, answer)| answer),
    }
}

fn accepts(kind: &AnswerKind) -> String {
    match kind {
        AnswerKind::Text => "any text".into(),
        AnswerKind::Number => "a number".into(),
        AnswerKind::YesNo => "yes or no".into(),
        AnswerKind::Choice(choices) => format!("one of: {}", choices.join(", ")),
    }
}

/// The value that a completed task's `Output::Definition` stands for.
pub(crate) fn defined_value(scheduler: &Scheduler, task: zeph_graph::TaskId) -> Value {
    let task = scheduler.graph().task(task);
    let params = match (task.work(), &task.rules().on_failure) {
        (Work::Question(question), _) => question.fallback.as_ref().map(|(_, value)| value),
        (Work::Milestone | Work::Action { .. }, OnFailure::Value(value)) => Some(value),
        (Work::Milestone | Work::Action { .. }, _) => None,
    };
    params
        .and_then(|params| params.to_value().ok())
        .unwrap_or(Value::Null)
}

/// The result of a task, if it is part of the task's definition.
pub(crate) fn defined_output(scheduler: &Scheduler, task: zeph_graph::TaskId) -> Option<Value> {
    let state = scheduler.task(task).state();
    let defined = TaskState::Completed {
        output: Output::Definition,
    };
    (state == defined).then(|| defined_value(scheduler, task))
}

/// Where an output is: shared by the engine and the readers of stored runs.
pub(crate) const fn content_of(output: Output) -> Option<zeph_graph::ContentId> {
    match output {
        Output::Content(id) => Some(id),
        Output::None | Output::Definition => None,
    }
}
