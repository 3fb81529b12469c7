//! The errors of planning, with everything that was tried.

use std::fmt;

use serde::{Serialize, Serializer};
use zeph_diagnostics::Diagnostics;
use zeph_llm::{LlmError, StopReason, Usage};

use super::finding::stored;

/// The kinds of failures of planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanFailure {
    /// The goal is empty or too long, or the host allows no kind of task.
    Impossible,
    /// The model, or a filter of its service, refused.
    Refused,
    /// The last answer was cut off.
    Truncated,
    /// There was no answer in time.
    TimedOut,
    /// The service does not accept the schema of plans.
    SchemaRejected,
    /// The answer was empty.
    Empty,
    /// The answer contained no plan.
    NotAPlan,
    /// The plan had problems.
    Defective,
    /// The budget does not cover the call.
    OverBudget,
    /// The attempt was stopped.
    Stopped,
    /// The provider failed in another way.
    Unavailable,
    /// A prompt of the host could not be rendered.
    BadPrompt,
}

impl PlanFailure {
    /// The stable word: `plan_` and the kind.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Impossible => "plan_impossible",
            Self::Refused => "plan_refused",
            Self::Truncated => "plan_truncated",
            Self::TimedOut => "plan_timed_out",
            Self::SchemaRejected => "plan_schema_rejected",
            Self::Empty => "plan_empty",
            Self::NotAPlan => "plan_not_a_plan",
            Self::Defective => "plan_defective",
            Self::OverBudget => "plan_over_budget",
            Self::Stopped => "plan_stopped",
            Self::Unavailable => "plan_unavailable",
            Self::BadPrompt => "plan_bad_prompt",
        }
    }

    /// The advice for a person.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Impossible => "state a goal, and define an agent or a command",
            Self::Refused => "word the goal differently, or use another model",
            Self::Truncated => "allow more output tokens, or fewer tasks",
            Self::TimedOut => "allow more time for a call, or use a faster model",
            Self::SchemaRejected => "use another model, or offer fewer agents, tools and commands",
            Self::Empty | Self::NotAPlan | Self::Defective => {
                "word the goal more precisely, use a larger model, or write a plan file by hand"
            }
            Self::OverBudget => "raise the budget",
            Self::Stopped => "no action is needed",
            Self::Unavailable => "see the provider's error",
            Self::BadPrompt => "correct the prompt file, or remove it from the folder",
        }
    }
}

/// A call that gave no plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanTry {
    /// The provider.
    pub provider: String,
    /// The model, as its service named it; empty if it did not.
    pub model: String,
    /// The beginning and the end of the answer, at most 2 KiB; printable.
    pub excerpt: String,
    /// The size of the answer in bytes.
    pub bytes: usize,
    /// The size of the reasoning beside it, in bytes.
    #[serde(skip_serializing_if = "is_none")]
    pub reasoning_bytes: usize,
    /// The stop reason; `None` if there was no answer.
    pub stop: Option<StopReason>,
    /// The problems of the plan.
    #[serde(serialize_with = "as_findings")]
    pub diagnostics: Diagnostics,
    /// The repairs in it.
    #[serde(serialize_with = "as_findings")]
    pub repairs: Diagnostics,
    /// The tokens of the call, if the service reported them.
    pub usage: Usage,
    /// The error, if there was no answer; printable.
    pub error: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
const fn is_none(bytes: &usize) -> bool {
    *bytes == 0
}

fn as_findings<S: Serializer>(all: &Diagnostics, to: S) -> Result<S::Ok, S::Error> {
    stored(all).serialize(to)
}

/// Planning failed.
#[derive(Clone, Debug)]
pub struct PlanError {
    /// The reason of the last try.
    pub failure: PlanFailure,
    /// The message: one sentence; printable.
    pub message: String,
    /// Every try, in order; empty if no model was called.
    pub tries: Vec<PlanTry>,
    /// The provider's last error, if there was one.
    pub cause: Option<LlmError>,
}

impl PlanError {
    pub(super) fn new(failure: PlanFailure, message: &str) -> Self {
        Self {
            failure,
            message: zeph_common::escape_terminal(message).into_owned(),
            tries: Vec::new(),
            cause: None,
        }
    }

    /// The problems of the last try that had any.
    #[must_use]
    pub fn diagnostics(&self) -> &[zeph_diagnostics::Diagnostic] {
        let tries = self.tries.iter().rev();
        let mut found = tries.map(|one| one.diagnostics.as_slice());
        found.find(|all| !all.is_empty()).unwrap_or_default()
    }
}

/// One sentence, the first problems, and the advice.
impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        write!(f, "planning failed: {}", self.message)?;
        let all = self.diagnostics();
        for one in all.iter().take(SHOWN) {
            write!(f, "\n  {one}")?;
        }
        if all.len() > SHOWN {
            write!(f, "\n  … and {} more", all.len() - SHOWN)?;
        }
        let line_break = if all.is_empty() { "; " } else { "\n" };
        write!(f, "{line_break}{}", self.failure.advice())
    }
}

impl std::error::Error for PlanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let cause = self.cause.as_ref()?;
        Some(cause)
    }
}
