//! Wire types of the work and the rules of a task. Times are in microseconds.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::forms::is_default;
use crate::{AnswerKind, FailureAnswer, Question};

/// The work of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum WorkSpec {
    /// No work.
    // Braces, because serde accepts further fields for a variant without them.
    Milestone {},
    /// A call of the executor registered under `name`.
    Action {
        /// The executor's name.
        name: String,
        /// Its parameters.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        params: Value,
    },
    /// A question to a person.
    Question(Box<QuestionSpec>),
}

impl Default for WorkSpec {
    fn default() -> Self {
        Self::Milestone {}
    }
}

/// A question whose answer is a task's result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionSpec {
    /// The text of the question.
    pub text: String,
    /// The accepted answers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub answer: AnswerKind,
    /// The default answer, used if none arrives in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<QuestionDefault>,
}

/// The default answer to a question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionDefault {
    /// How long the question waits before it.
    pub after_us: u64,
    /// The answer.
    pub value: Value,
}

/// The failure strategy, applied when the last attempt has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OnFailureSpec {
    /// The run is aborted.
    Abort {},
    /// The task stays Failed.
    Skip {},
    /// A person decides.
    Ask {
        /// The default answer, used if none arrives in time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<AskDefault>,
    },
    /// The task completes with this value instead.
    Value {
        /// The value.
        #[serde(default)]
        value: Value,
    },
    /// Another task runs in its place.
    Fallback {
        /// The name of the other task.
        task: String,
    },
}

impl Default for OnFailureSpec {
    fn default() -> Self {
        Self::Abort {}
    }
}

/// The default answer to a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskDefault {
    /// How long the question waits before it.
    pub after_us: u64,
    /// The answer.
    pub answer: FailureAnswer,
}

/// A lane that an attempt occupies, and its weight in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneUseSpec {
    /// The lane's name.
    pub lane: String,
    /// Units of its capacity. Absent: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

fn is_one(weight: &u32) -> bool {
    *weight == 1
}

impl From<QuestionSpec> for Question {
    fn from(spec: QuestionSpec) -> Self {
        Self {
            text: spec.text,
            kind: spec.answer,
            fallback: spec.default.map(|default| {
                let wait = Duration::from_micros(default.after_us);
                (wait, default.value.into())
            }),
        }
    }
}
