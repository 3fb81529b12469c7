//! The parameters of the action `answer`.

use serde::{Deserialize, Serialize};

/// The parameters of the action `answer`, as JSON; only `goal` is required.
///
/// # Examples
/// ```
/// use zeph_planner::answer::AnswerParams;
/// let params: AnswerParams = serde_json::from_value(serde_json::json!({
///     "goal": "Weekly report",
///     "tasks": [{ "name": "log", "needs": [], "about": "Reads the log" }],
/// }))?;
/// assert_eq!(params.tasks[0].name, "log");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerParams {
    /// The goal. Trusted: a person wrote it.
    pub goal: String,
    /// The tasks with results, in the plan's order. Parents of the task `answer` that are not listed follow
    /// them.
    #[serde(default)]
    pub tasks: Vec<AnswerTask>,
    /// The most tokens of the answer. The aggregator's own limit is the default, and the largest value that
    /// has an effect.
    #[serde(default)]
    pub max_tokens: Option<u32>,
}

/// A task whose result is part of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerTask {
    /// Its name.
    pub name: String,
    /// The names of the tasks that it needed.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Its description in a sentence; may be empty.
    #[serde(default)]
    pub about: String,
}
