//! Requests: what people ask of a run, in the form that handle, socket and inbox share.

use serde::{Deserialize, Serialize};
use zeph_graph::Budget;

/// Something that a person, or a program on their behalf, wants of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// Answer a question.
    Answer {
        /// Its number.
        question: u32,
        /// What the person said.
        text: String,
    },
    /// Cancel a task, a task with what depends on it, or the run.
    Cancel {
        /// The task's name; none for the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<String>,
        /// Whether what depends on the task goes with it.
        #[serde(default)]
        downstream: bool,
    },
    /// Start nothing new.
    Pause,
    /// End a pause.
    Unpause,
    /// Come to rest.
    Suspend,
    /// Set what the run may cost from here on; what is not named stays as it is.
    Budget {
        /// Tokens in all; `u64::MAX` is no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tokens: Option<u64>,
        /// Millionths of a dollar in all; `u64::MAX` is no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        micro_usd: Option<u64>,
    },
}

/// A budget of which some numbers were set anew.
pub(crate) fn changed(old: Budget, tokens: Option<u64>, micro_usd: Option<u64>) -> Budget {
    Budget {
        tokens: tokens.unwrap_or(old.tokens),
        micro_usd: micro_usd.unwrap_or(old.micro_usd),
    }
}
