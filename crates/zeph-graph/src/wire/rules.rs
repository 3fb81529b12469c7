//! Wire types of the work and the rules of a task. Times are in microseconds.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AnswerKind, Budget, FailureAnswer, Question, Retry};

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
    pub answer: AnswerSpec,
    /// The default answer, used if none arrives in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<QuestionDefault>,
}

/// The answers that a question accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerSpec {
    /// Any text.
    #[default]
    Text,
    /// A number.
    Number,
    /// Yes or no.
    YesNo,
    /// One of these texts.
    Choice {
        /// The texts.
        choices: Vec<String>,
    },
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

/// How often and how soon a failed attempt is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrySpec {
    /// Further attempts after the first.
    pub max_retries: u32,
    /// The shortest wait. Absent: 1 s.
    #[serde(default = "default_base", skip_serializing_if = "is_default_base")]
    pub base_us: u64,
    /// The longest wait. Absent: 60 s.
    #[serde(default = "default_cap", skip_serializing_if = "is_default_cap")]
    pub cap_us: u64,
}

impl Default for RetrySpec {
    fn default() -> Self {
        Retry::NEVER.into()
    }
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

/// The limits of a cost; an absent number is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
    /// Tokens, in and out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Millionths of a dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_usd: Option<u64>,
}

impl From<Budget> for BudgetSpec {
    fn from(budget: Budget) -> Self {
        Self {
            tokens: budget.tokens(),
            micro_usd: budget.micro_usd(),
        }
    }
}

impl From<BudgetSpec> for Budget {
    fn from(spec: BudgetSpec) -> Self {
        Self::new(spec.tokens, spec.micro_usd)
    }
}

/// An approval before the first attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveSpec {
    /// The text of the question.
    pub text: String,
    /// The default answer, used if none arrives in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ApproveDefault>,
}

/// The default answer to an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveDefault {
    /// How long the question waits before it.
    pub after_us: u64,
    /// Whether the task may start.
    pub yes: bool,
}

/// Whole microseconds, rounded up, at most `u64::MAX`.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn default_base() -> u64 {
    micros(Retry::NEVER.base)
}

fn is_default_base(base_us: &u64) -> bool {
    *base_us == default_base()
}

fn default_cap() -> u64 {
    micros(Retry::NEVER.cap)
}

fn is_default_cap(cap_us: &u64) -> bool {
    *cap_us == default_cap()
}

fn one() -> u32 {
    1
}

fn is_one(weight: &u32) -> bool {
    *weight == 1
}

impl From<Retry> for RetrySpec {
    fn from(retry: Retry) -> Self {
        Self {
            max_retries: retry.max_retries,
            base_us: micros(retry.base),
            cap_us: micros(retry.cap),
        }
    }
}

impl From<RetrySpec> for Retry {
    fn from(spec: RetrySpec) -> Self {
        Self {
            max_retries: spec.max_retries,
            base: Duration::from_micros(spec.base_us),
            cap: Duration::from_micros(spec.cap_us),
        }
    }
}

impl From<QuestionSpec> for Question {
    fn from(spec: QuestionSpec) -> Self {
        Self {
            text: spec.text,
            kind: match spec.answer {
                AnswerSpec::Text => AnswerKind::Text,
                AnswerSpec::Number => AnswerKind::Number,
                AnswerSpec::YesNo => AnswerKind::YesNo,
                AnswerSpec::Choice { choices } => AnswerKind::Choice(choices),
            },
            fallback: spec.default.map(|default| {
                let wait = Duration::from_micros(default.after_us);
                (wait, default.value.into())
            }),
        }
    }
}
