//! The limits of an agent's attempt.

use std::time::Duration;

/// The limits of one attempt of any agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlmContextLimits {
    /// The most tokens of all calls of an attempt, in and out. Default 200,000.
    ///
    /// Checked before each call, so the last call may exceed it by its own size. 0 allows no call.
    pub attempt_tokens: u64,
    /// The most tokens of one tool's result. Default 4,000.
    ///
    /// The middle of a longer result is replaced by a mark. With 0 the model sees no results.
    pub tool_result_tokens: u64,
    /// The most tool calls of one reply that run in parallel. Default 4, at least 1.
    pub parallel_tools: usize,
    /// How often a tool may be called with the same arguments in one attempt. Default 3.
    ///
    /// One more call ends the attempt with the code `tool_loop`. With 0 no tool is called.
    pub same_calls: u32,
    /// How many tool calls may fail in a row before the attempt ends with the code `tool_failed`.
    /// Default 5, at least 1.
    pub failed_calls: u32,
    /// The longest time of one tool call. Default 2 min.
    ///
    /// A call that takes longer is dropped, and the model sees an error.
    pub tool_timeout: Duration,
    /// How many agents an attempt may try in turn, if the task names none. Default 2.
    ///
    /// The next agent is tried after a failure of the agent's model, limits or answers.
    pub agents_tried: u32,
}

impl Default for LlmContextLimits {
    fn default() -> Self {
        Self {
            attempt_tokens: 200_000,
            tool_result_tokens: 4_000,
            parallel_tools: 4,
            same_calls: 3,
            failed_calls: 5,
            tool_timeout: Duration::from_mins(2),
            agents_tried: 2,
        }
    }
}
