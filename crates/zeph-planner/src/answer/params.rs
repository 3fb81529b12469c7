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
    /// Whether the plan may be extended before the answer, if a task failed. Default: no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extend: Option<Extend>,
}

/// How a plan may be extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// How many times.
    pub left: u32,
    /// The last round of planning.
    pub round: u32,
    /// Whether a person confirms the further tasks.
    pub confirm: bool,
    /// The number of tasks whose failures an earlier extension has seen: the first ones of the list.
    pub seen: usize,
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
