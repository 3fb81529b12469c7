//! Requests: what people ask of a run, in the form that handle, socket and inbox share.

use serde::{Deserialize, Serialize};

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
}
