//! What a task of the action `answer` says.

use serde::{Deserialize, Serialize};

/// The parameters of the task that puts results together, as JSON; only `goal` is required.
///
/// # Examples
/// ```
/// use zeph_planner::AnswerParams;
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
    /// What was wanted. Trusted: a person wrote it.
    pub goal: String,
    /// The tasks whose results there are, in the plan's order. Parents that are not listed are told
    /// behind them.
    #[serde(default)]
    pub tasks: Vec<AnswerTask>,
    /// The most tokens of the answer; `None` is the aggregator's own limit, which it cannot exceed.
    #[serde(default)]
    pub max_tokens: Option<u32>,
}

/// A task whose result goes into the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerTask {
    /// Its name.
    pub name: String,
    /// The names of the tasks that it needed.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What it is about, in a sentence; may be empty.
    #[serde(default)]
    pub about: String,
}
