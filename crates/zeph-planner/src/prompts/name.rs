//! The names of prompts, their texts, and the variables of each.

use std::fmt;

use serde_json::{Value, json};

/// Which prompt.
///
/// Closed: a set of prompts has each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PromptName {
    /// The planner's system message.
    Plan,
    /// The planner's user message: the goal and people's feedback.
    PlanGoal,
    /// The user message after a plan that could not be accepted.
    PlanAgain,
    /// An agent's system message.
    Agent,
    /// An agent's user message: the task and what its parents left.
    AgentTask,
    /// The aggregator's system message.
    Answer,
    /// The aggregator's user message with all results.
    AnswerResults,
    /// The aggregator's user message with some of the results.
    AnswerPart,
}

impl PromptName {
    /// Every name, in order.
    pub const ALL: &'static [Self] = &[
        Self::Plan,
        Self::PlanGoal,
        Self::PlanAgain,
        Self::Agent,
        Self::AgentTask,
        Self::Answer,
        Self::AnswerResults,
        Self::AnswerPart,
    ];

    /// The name as it is written; the file is called so with `.md.j2` behind it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::PlanGoal => "plan_goal",
            Self::PlanAgain => "plan_again",
            Self::Agent => "agent",
            Self::AgentTask => "agent_task",
            Self::Answer => "answer",
            Self::AnswerResults => "answer_results",
            Self::AnswerPart => "answer_part",
        }
    }

    /// The text of the prompt that comes with the crate, to begin a new one from.
    #[must_use]
    pub const fn built_in(self) -> &'static str {
        match self {
            Self::Plan => include_str!("../../prompts/plan.md.j2"),
            Self::PlanGoal => include_str!("../../prompts/plan_goal.md.j2"),
            Self::PlanAgain => include_str!("../../prompts/plan_again.md.j2"),
            Self::Agent => include_str!("../../prompts/agent.md.j2"),
            Self::AgentTask => include_str!("../../prompts/agent_task.md.j2"),
            Self::Answer => include_str!("../../prompts/answer.md.j2"),
            Self::AnswerResults => include_str!("../../prompts/answer_results.md.j2"),
            Self::AnswerPart => include_str!("../../prompts/answer_part.md.j2"),
        }
    }

    /// The variables without which the prompt would lose what it is for, the sanitizer's word included.
    pub(crate) const fn needed(self) -> &'static [&'static str] {
        match self {
            Self::Plan => &["preamble", "agents", "commands", "kinds"],
            Self::PlanGoal => &["goal", "feedback"],
            Self::PlanAgain => &["problems"],
            Self::Agent => &["agent", "preamble"],
            Self::AgentTask => &["prompt", "parents"],
            Self::Answer => &["preamble"],
            Self::AnswerResults | Self::AnswerPart => &["goal", "results"],
        }
    }

    /// Values of the variables to try a template with: the first has something everywhere, the
    /// second as little as may be.
    pub(crate) fn samples(self) -> [Value; 2] {
        let result =
            json!({ "name": "a", "about": "b", "state": "completed", "text": "c", "cut": true });
        let less =
            json!({ "name": "a", "about": "", "state": "failed", "text": null, "cut": false });
        match self {
            Self::Plan => {
                let agent =
                    json!({ "name": "a", "description": "b", "tools": ["c"], "tags": ["d"] });
                let argument = json!({ "name": "e", "form": "f", "about": "g", "optional": true });
                let command = json!({ "name": "h", "about": "i", "arguments": [argument] });
                let limits = json!({ "tasks": 3, "depth": 2, "width": 2 });
                [
                    json!({ "preamble": "p", "agents": [agent], "commands": [command], "kinds": ["agent", "command", "question"], "limits": limits }),
                    json!({ "preamble": "", "agents": [], "commands": [], "kinds": ["agent"], "limits": limits }),
                ]
            }
            Self::PlanGoal => [
                json!({ "goal": "g", "feedback": ["f"] }),
                json!({ "goal": "g", "feedback": [] }),
            ],
            Self::PlanAgain => {
                let problem =
                    json!({ "code": "c", "pointer": "/tasks/0", "message": "m", "help": "h" });
                let bare = json!({ "code": "c", "pointer": "", "message": "m", "help": null });
                [
                    json!({ "problems": [problem], "more": 3, "last": "l" }),
                    json!({ "problems": [bare], "more": 0, "last": null }),
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
                let parent = json!({ "name": "a", "state": "completed", "text": "t" });
                let failed = json!({ "name": "a", "state": "failed", "text": null });
                [
                    json!({ "prompt": "p", "parents": [parent, failed] }),
                    json!({ "prompt": "p", "parents": [] }),
                ]
            }
            Self::Answer => [json!({ "preamble": "p" }), json!({ "preamble": "" })],
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
