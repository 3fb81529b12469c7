//! Requests: cancel, pause, answer and so on, in the form that handle, socket and inbox share.

use serde::{Deserialize, Serialize};
use zeph_graph::Budget;

/// A request to a run, by a person or a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Answer a question.
    Answer {
        /// Its number.
        question: u32,
        /// The text of the answer.
        text: String,
    },
    /// Cancel a task, a task with its dependants, or the run.
    Cancel {
        /// The task's name; none for the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<String>,
        /// Whether every unfinished task that depends on it is cancelled too.
        #[serde(default)]
        downstream: bool,
    },
    /// Start nothing new.
    Pause,
    /// End a pause.
    Unpause,
    /// Suspend the run.
    Suspend,
    /// Set the run's budget. An absent number is not changed.
    Budget {
        /// Tokens in all; `u64::MAX` is no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tokens: Option<u64>,
        /// Millionths of a dollar in all; `u64::MAX` is no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        micro_usd: Option<u64>,
    },
}

/// A budget with some of its numbers replaced.
pub(crate) fn changed(old: Budget, tokens: Option<u64>, micro_usd: Option<u64>) -> Budget {
    Budget::new(tokens.or(old.tokens()), micro_usd.or(old.micro_usd()))
}
