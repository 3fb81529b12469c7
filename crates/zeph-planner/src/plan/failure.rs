//! Failures: why there is no plan, told apart because what helps differs, with everything that was tried.

use std::fmt;

use serde::Serialize;
use zeph_llm::{LlmError, Usage};

use super::{PlanDiagnostic, PlanRepair};

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PlanFailure {
    /// The goal is empty or too long, or there is nothing that a plan could use.
    Impossible,
    /// The model, or a filter of its service, declined.
    Refused,
    /// Every answer was cut off.
    Truncated,
    /// No answer came in time.
    TimedOut,
    /// The service does not accept the schema of plans.
    SchemaRejected,
    /// The answer was empty.
    Empty,
    /// The answer held no plan at all.
    NotAPlan,
    /// There was a plan, but it could not be accepted.
    Defective,
    /// The budget does not cover the call.
    OverBudget,
    /// Whoever asked was told to stop.
    Stopped,
    /// The provider failed in another way.
    Unavailable,
    /// A prompt of the host could not be filled in.
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

    /// What a person can do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Impossible => {
                "state a goal, and define an agent or a command that could serve it"
            }
            Self::Refused => "word the goal in another way, or name another model",
            Self::Truncated => "allow the planner more output tokens, or fewer tasks",
            Self::TimedOut => "allow the call more time, or name a faster model",
            Self::SchemaRejected => "name another model, or offer fewer agents, tools and commands",
            Self::Empty | Self::NotAPlan | Self::Defective => {
                "word the goal more precisely, name a larger model, or write a plan file by hand"
            }
            Self::OverBudget => "raise the budget",
            Self::Stopped => "nothing needs to be done",
            Self::Unavailable => "see the provider's error",
            Self::BadPrompt => "mend the replaced prompt, or take it out of the folder",
        }
    }
}

/// One call for a plan that did not lead to one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanTry {
    /// The provider.
    pub provider: String,
    /// The model, as its service named it; empty if it did not.
    pub model: String,
    /// What the model wrote, inert: at most 2 KiB of its ends.
    pub excerpt: String,
    /// Bytes of all that it wrote.
    pub bytes: usize,
    /// Why it stopped, in a word; empty if there was no answer.
    pub stop: String,
    /// What was wrong with the plan.
    pub diagnostics: Vec<PlanDiagnostic>,
    /// What was mended in it.
    pub repairs: Vec<PlanRepair>,
    /// What the call cost, as far as the service said.
    pub usage: Usage,
    /// Why there was no answer; inert.
    pub error: Option<String>,
}

/// There is no plan: why, and everything that was tried.
#[derive(Clone, Debug)]
pub struct PlanError {
    /// Why, in the last try of the last provider.
    pub failure: PlanFailure,
    /// What happened, in a sentence; inert.
    pub message: String,
    /// Every try, in order; empty if no model was asked.
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
    pub fn diagnostics(&self) -> &[PlanDiagnostic] {
        let tried = self.tries.iter().rev();
        let mut found = tried.map(|one| one.diagnostics.as_slice());
        found.find(|all| !all.is_empty()).unwrap_or_default()
    }
}

/// One sentence, the first problems, and what to do.
impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        write!(f, "there is no plan: {}", self.message)?;
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
