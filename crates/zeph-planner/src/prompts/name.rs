//! The names of prompts, their texts, and the variables of each.

use std::fmt;

use serde_json::{Value, json};

/// The name of a prompt. A set of prompts has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PromptName {
    /// The planner's system message.
    Plan,
    /// The planner's user message: the goal and the feedback.
    PlanGoal,
    /// The addition to the user message after a rejected plan.
    PlanCorrection,
    /// An agent's system message.
    Agent,
    /// An agent's user message: the task and the results of its parents.
    AgentTask,
    /// The aggregator's system message.
    Answer,
    /// The aggregator's user message with all results.
    AnswerResults,
    /// The aggregator's user message with some of the results.
    AnswerPart,
    /// The system message of a judge of a result.
    Judge,
    /// The user message of a judge: the question and the result.
    JudgeResult,
}

impl PromptName {
    /// Every name, in order.
    pub const ALL: &'static [Self] = &[
        Self::Plan,
        Self::PlanGoal,
        Self::PlanCorrection,
        Self::Agent,
        Self::AgentTask,
        Self::Answer,
        Self::AnswerResults,
        Self::AnswerPart,
        Self::Judge,
        Self::JudgeResult,
    ];

    /// The name; the file has the suffix `.md.j2`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::PlanGoal => "plan_goal",
            Self::PlanCorrection => "plan_correction",
            Self::Agent => "agent",
            Self::AgentTask => "agent_task",
            Self::Answer => "answer",
            Self::AnswerResults => "answer_results",
            Self::AnswerPart => "answer_part",
            Self::Judge => "judge",
            Self::JudgeResult => "judge_result",
        }
    }

    /// The built-in text, as a start for a replacement.
    #[must_use]
    pub const fn built_in(self) -> &'static str {
        match self {
            Self::Plan => include_str!("../../prompts/plan.md.j2"),
            Self::PlanGoal => include_str!("../../prompts/plan_goal.md.j2"),
            Self::PlanCorrection => include_str!("../../prompts/plan_correction.md.j2"),
            Self::Agent => include_str!("../../prompts/agent.md.j2"),
            Self::AgentTask => include_str!("../../prompts/agent_task.md.j2"),
            Self::Answer => include_str!("../../prompts/answer.md.j2"),
            Self::AnswerResults => include_str!("../../prompts/answer_results.md.j2"),
            Self::AnswerPart => include_str!("../../prompts/answer_part.md.j2"),
            Self::Judge => include_str!("../../prompts/judge.md.j2"),
            Self::JudgeResult => include_str!("../../prompts/judge_result.md.j2"),
        }
    }

    /// The required variables.
    pub(crate) const fn required(self) -> &'static [&'static str] {
        match self {
            Self::Plan => &["preamble", "agents", "commands", "kinds"],
            Self::PlanGoal => &["goal", "feedback"],
            Self::PlanCorrection => &["problems"],
            Self::Agent => &["agent", "preamble"],
            Self::AgentTask => &["prompt", "parents"],
            Self::Answer | Self::Judge => &["preamble"],
            Self::AnswerResults | Self::AnswerPart => &["goal", "results"],
            Self::JudgeResult => &["question", "result"],
        }
    }

    /// Values to test a template with: the first has everything, the second as little as possible.
    pub(crate) fn samples(self) -> [Value; 2] {
        let result = json!({ "name": "a", "about": "b", "state": "completed", "text": "c", "cut": true, "why": null });
        let less = json!({ "name": "a", "about": "", "state": "failed", "text": null, "cut": false, "why": "w" });
        match self {
            Self::Plan => {
                let agent =
                    json!({ "name": "a", "description": "b", "tools": ["c"], "tags": ["d"] });
                let argument = json!({ "name": "e", "form": "f", "about": "g", "optional": true });
                let command = json!({ "name": "h", "about": "i", "arguments": [argument] });
                let limits = json!({ "tasks": 3, "depth": 2, "width": 2, "tokens": 900 });
                let less = json!({ "tasks": 3, "depth": 2, "width": 2, "tokens": null });
                [
                    json!({ "preamble": "p", "agents": [agent], "commands": [command], "kinds": ["agent", "command", "question"], "limits": limits }),
                    json!({ "preamble": "", "agents": [], "commands": [], "kinds": ["agent"], "limits": less }),
                ]
            }
            Self::PlanGoal => [
                json!({ "goal": "g", "feedback": ["f", "h"], "rejected": ["r", null], "earlier": [
                    { "name": "a", "about": "b", "state": "completed", "has_result": true, "text": "c" },
                    { "name": "a", "about": "b", "state": "failed", "has_result": false, "text": null },
                ] }),
                json!({ "goal": "g", "feedback": [], "rejected": [], "earlier": [] }),
            ],
            Self::PlanCorrection => {
                let problem =
                    json!({ "code": "c", "path": "/tasks/0", "message": "m", "help": "h" });
                let bare = json!({ "code": "c", "path": "", "message": "m", "help": null });
                [
                    json!({ "problems": [problem], "more": 3, "last": "l", "begun": ["b"] }),
                    json!({ "problems": [bare], "more": 0, "last": null, "begun": [] }),
                ]
            }
            Self::Agent => {
                let agent = json!({ "name": "a", "description": "b", "prompt": "c" });
                [
                    json!({ "agent": agent, "preamble": "p", "output": "schema" }),
                    json!({ "agent": agent, "preamble": "", "output": "text" }),
                ]
            }
            Self::AgentTask => {
                let parent = json!({ "name": "a", "state": "completed", "text": "t", "cut": true, "why": null });
                let failed = json!({ "name": "a", "state": "failed", "text": "t", "cut": false, "why": "c" });
                [
                    json!({ "goal": "g", "prompt": "p", "parents": [parent, failed], "readers": ["r"], "answers": true, "rejected": "r" }),
                    json!({ "goal": null, "prompt": "p", "parents": [], "readers": [], "answers": false, "rejected": null }),
                ]
            }
            Self::Answer | Self::Judge => [json!({ "preamble": "p" }), json!({ "preamble": "" })],
            Self::JudgeResult => [
                json!({ "question": "q", "task": "t", "result": "r", "cut": true }),
                json!({ "question": "q", "task": null, "result": "r", "cut": false }),
            ],
            Self::AnswerResults => [
                json!({ "goal": "g", "results": [result, less] }),
                json!({ "goal": "g", "results": [] }),
            ],
            Self::AnswerPart => [
                json!({ "goal": "g", "part": 1, "parts": 2, "results": [result, less] }),
                json!({ "goal": "g", "part": 1, "parts": 2, "results": [] }),
            ],
        }
    }
}

impl fmt::Display for PromptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
