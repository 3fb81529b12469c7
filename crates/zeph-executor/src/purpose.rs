//! The purpose of a task: the goal of its run, and the tasks that get its result.

use serde::{Deserialize, Serialize};

/// What a task is for. Executors that ask a model pass it on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purpose {
    /// The goal of the run, as its plan states it; `None` if it states none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
    /// The tasks that depend on this one when the attempt starts, in the order of the graph; at most
    /// [`MAX_DEPENDANTS`](Self::MAX_DEPENDANTS).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependants: Vec<Dependant>,
}

/// A task that depends on another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependant {
    /// Its name.
    pub name: String,
    /// The name of its action; `None` for a milestone or a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

impl Purpose {
    /// The most dependants that are named.
    pub const MAX_DEPENDANTS: usize = 16;

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.goal.is_none() && self.dependants.is_empty()
    }
}
