//! Rules of a task: triggers, retries, failure strategies, effects, lanes, questions.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::{approval_default, micros};
use crate::words::words;
use crate::{LaneId, Params, TaskId};

words! {
    /// When a task may start, depending on the final states of its parents.
    ///
    /// A canceled parent counts as failed; a skipped one is done, but neither success nor failure.
    /// Without parents each trigger fires at once. A task whose trigger can no longer fire is skipped.
    #[derive(Default)]
    Trigger {
        /// All parents completed. It can no longer fire once one of them ended otherwise.
        #[default]
        AllSuccess = "all_success",
        /// All parents ended, in whatever state.
        AllDone = "all_done",
        /// A parent completed. The other parents may still run.
        AnySuccess = "any_success",
        /// A parent failed or was canceled. The other parents may still run.
        AnyFailed = "any_failed",
        /// All parents ended, and none of them failed or was canceled.
        NoneFailed = "none_failed",
    }
}

/// How often and how soon a failed attempt is repeated: exponential back-off with full jitter.
///
/// The wait before retry *n* is drawn evenly from `base..=min(cap, base * 2^n)`; a `Retry-After`
/// of the executor is a lower bound that may exceed `cap`. Only retryable faults are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Further attempts after the first; 3 means up to four attempts.
    pub max_retries: u32,
    /// The shortest wait. Zero retries at once.
    #[serde(rename = "base_us", with = "micros", default = "default_base")]
    #[serde(skip_serializing_if = "is_default_base")]
    pub base: Duration,
    /// The longest wait; below `base` it counts as `base`.
    #[serde(rename = "cap_us", with = "micros", default = "default_cap")]
    #[serde(skip_serializing_if = "is_default_cap")]
    pub cap: Duration,
}

const fn default_base() -> Duration {
    Retry::NEVER.base
}

fn is_default_base(base: &Duration) -> bool {
    *base == default_base()
}

const fn default_cap() -> Duration {
    Retry::NEVER.cap
}

fn is_default_cap(cap: &Duration) -> bool {
    *cap == default_cap()
}

impl Retry {
    /// No retry; if a number of retries is set later, they wait 1 s to 60 s.
    pub const NEVER: Self = Self {
        max_retries: 0,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
    };

    /// A number of retries that wait 1 s to 60 s.
    #[must_use]
    pub const fn times(max_retries: u32) -> Self {
        Self {
            max_retries,
            ..Self::NEVER
        }
    }

    /// Sets the shortest and the longest wait.
    #[must_use]
    pub const fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::NEVER
    }
}

/// The failure strategy of a task, applied when its last attempt has failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OnFailure {
    /// Nothing new starts, running work is canceled, the rest ends Canceled.
    #[default]
    Abort,
    /// The task stays Failed, triggers decide for its dependants, all other tasks continue.
    Skip,
    /// A person decides: retry, skip, use a value, abort. Tasks that do not depend on it continue.
    Ask(AskFailure),
    /// The task completes with this value instead.
    ///
    /// A question, which can only fail before it is asked, stays Failed.
    Value(Params),
    /// Another task runs in its place, and its result is the result of both.
    ///
    /// A fallback has one user and no dependencies, nothing depends on it, and it runs at the end if and only if
    /// its user does. If its user ends without it, it is skipped. A fallback that does not complete leaves its
    /// user Failed; its own strategy decides about the run. It may have a fallback itself.
    Fallback(TaskId),
}

impl OnFailure {
    /// The name of the strategy in JSON, in plan files and in flags.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Skip => "skip",
            Self::Ask(_) => "ask",
            Self::Value(_) => "value",
            Self::Fallback(_) => "fallback",
        }
    }
}

/// Makes a task one of many: its first attempt returns a list, and the task runs once for each item of it.
///
/// The items are tasks of their own, named `NAME[0]`, `NAME[1]`, …, with the work and the rules of the task
/// and its parents. The task itself holds no slot while they run. When all have ended it has the list of
/// their results, in order, with null for each item without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foreach {
    /// The most items; a longer list fails the task. Default: 1,000.
    #[serde(
        default = "default_max_items",
        skip_serializing_if = "is_default_max_items"
    )]
    pub max: u32,
    /// What the failure of an item does to the others and to the task. Default: abort.
    #[serde(default, skip_serializing_if = "crate::wire::is_default")]
    pub on_failure: ItemFailure,
    /// Whether each item is [prepared](crate::Rules::prepare), too. Default: only the task is, before it has its
    /// list.
    #[serde(default, skip_serializing_if = "crate::wire::is_default")]
    pub prepare_items: bool,
}

const fn default_max_items() -> u32 {
    Foreach::DEFAULT.max
}

const fn is_default_max_items(max: &u32) -> bool {
    *max == default_max_items()
}

impl Foreach {
    /// Up to 1,000 items, of which the first failure stops the others.
    pub const DEFAULT: Self = Self {
        max: 1_000,
        on_failure: ItemFailure::Abort,
        prepare_items: false,
    };

    /// Why a task cannot have it, given whether its work is an action and its strategy is to ask.
    pub(crate) const fn defect(self, is_action: bool, asks: bool) -> Option<&'static str> {
        if !is_action {
            Some("it has no work that can be repeated")
        } else if self.max == 0 {
            Some("the most items are 0")
        } else if asks {
            Some("a question about its failure could not be answered by one more attempt")
        } else {
            None
        }
    }
}

impl Default for Foreach {
    fn default() -> Self {
        Self::DEFAULT
    }
}

words! {
    /// What the failure of one of many items does.
    #[derive(Default)]
    ItemFailure {
        /// The other items are stopped and the task fails; its own `on_failure` follows.
        #[default]
        Abort = "abort",
        /// The other items run to their ends, and then the task fails.
        Finish = "finish",
        /// The other items run to their ends; the task completes, with null in place of the result.
        Skip = "skip",
    }
}

/// How a person is asked about a failed task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskFailure {
    /// The wait of the question and the default answer after it. Default: no default answer.
    pub fallback: Option<(Duration, FailureAnswer)>,
}

words! {
    /// An answer to the question about a failed task that needs no value.
    FailureAnswer {
        /// One more attempt.
        Retry = "retry",
        /// The task stays Failed; triggers decide for its dependants.
        Skip = "skip",
        /// The run is aborted.
        Abort = "abort",
    }
}

words! {
    /// The effect class of a task: what a repeated attempt does to the outside world. It decides about an
    /// attempt whose end is unknown: after a crash, or when it ignored its cancellation.
    #[derive(Default)]
    Effect {
        /// No effect. After an unknown end the task runs again.
        Pure = "pure",
        /// Two attempts have the same effect as one. The task runs again, and the report says so.
        #[default]
        Idempotent = "idempotent",
        /// An effect that must not happen twice. A person decides whether the task runs again.
        AtMostOnce = "at_most_once",
    }
}

/// A lane that an attempt occupies, and its weight in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneUse {
    /// The lane.
    pub lane: LaneId,
    /// Units of its capacity; at least 1, at most the capacity.
    pub weight: u32,
}

/// An approval before a task's first attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The text of the question.
    pub text: String,
    /// The wait and the default answer after it. Default: wait for ever.
    #[serde(rename = "default", with = "approval_default", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<(Duration, bool)>,
    /// The tools that only an approved task may call and that this approval allows, by name. The composition of a
    /// run sets them; a plan cannot. Default: none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tools: BTreeSet<String>,
}

impl<T: Into<String>> From<T> for Approval {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            fallback: None,
            tools: BTreeSet::new(),
        }
    }
}

impl Approval {
    /// The question for a person, with the tools that the answer allows.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::Approval;
    /// let mut approval = Approval::from("");
    /// approval.tools = ["send".to_owned(), "write".to_owned()].into();
    /// assert_eq!(
    ///     approval.question("report"),
    ///     "May it run? The agent of \"report\" may call tools that change something: send, write"
    /// );
    /// assert_eq!(Approval::from("Publish?").question("report"), "Publish?");
    /// ```
    #[must_use]
    pub fn question(&self, task: &str) -> String {
        if self.tools.is_empty() {
            return self.text.clone();
        }
        let names: Vec<&str> = self.tools.iter().map(String::as_str).collect();
        let names = names.join(", ");
        let text = match self.text.trim() {
            "" => "May it run?",
            text => text,
        };
        format!("{text} The agent of {task:?} may call tools that change something: {names}")
    }

    /// The wait and the default answer after it. Tools are allowed by an explicit answer only, so with
    /// [`tools`](Self::tools) no default is yes.
    #[must_use]
    pub fn default_answer(&self) -> Option<(Duration, bool)> {
        self.fallback
            .filter(|(_, yes)| !yes || self.tools.is_empty())
    }

    /// The approval as a plan has it: without tools; `None` if the tools are its only reason.
    #[must_use]
    pub fn as_written(mut self) -> Option<Self> {
        let is_added = self.text.is_empty() && !self.tools.is_empty();
        self.tools.clear();
        (!is_added).then_some(self)
    }
}

/// A question whose answer is a task's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The text of the question.
    pub text: String,
    /// The accepted answers.
    pub kind: AnswerKind,
    /// The wait and the default answer after it. Default: wait for ever.
    pub fallback: Option<(Duration, Params)>,
}

impl Question {
    /// A question that any text answers.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            kind: AnswerKind::Text,
            fallback: None,
        }
    }

    /// A question answered by a number.
    #[must_use]
    pub fn number(text: impl Into<String>) -> Self {
        Self {
            kind: AnswerKind::Number,
            ..Self::text(text)
        }
    }

    /// A question answered by yes or no.
    #[must_use]
    pub fn confirm(text: impl Into<String>) -> Self {
        Self {
            kind: AnswerKind::YesNo,
            ..Self::text(text)
        }
    }

    /// A question answered by one of some choices.
    #[must_use]
    pub fn choice<C: Into<String>>(
        text: impl Into<String>,
        choices: impl IntoIterator<Item = C>,
    ) -> Self {
        let choices = choices.into_iter().map(Into::into).collect();
        Self {
            kind: AnswerKind::Choice { choices },
            ..Self::text(text)
        }
    }

    /// Uses `answer` if no answer has arrived after `wait`.
    #[must_use]
    pub fn default_after(mut self, wait: Duration, answer: Params) -> Self {
        self.fallback = Some((wait, answer));
        self
    }
}

/// The answers that a question accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerKind {
    /// Any text.
    #[default]
    Text,
    /// A number.
    Number,
    /// Yes or no; the result is `true` or `false`.
    YesNo,
    /// One of these texts.
    Choice {
        /// The texts.
        choices: Vec<String>,
    },
}
