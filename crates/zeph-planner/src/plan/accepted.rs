//! An accepted plan: checked, ordered and priced.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeph_graph::{OnFailure, Trigger};

use super::PlanFinding;

/// A plan that passed every check.
///
/// Each task comes after the tasks that it needs. Only [`read_plan`](super::read_plan) makes one.
/// A run stores the [plan file](Plan::to_plan_file), never this type.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The goal of the request.
    pub goal: String,
    /// The text that it was read from.
    pub answer: String,
    /// The model's explanation of the plan. Untrusted; may be empty.
    pub reasoning: String,
    /// The tasks, at least one; there may be none if the plan extends another one.
    pub tasks: Vec<PlannedTask>,
    /// The estimated cost.
    pub estimate: Estimate,
    /// The warnings about the plan, then the repairs in the model's answer.
    pub findings: Vec<PlanFinding>,
}

impl Plan {
    /// Gives a task another name, which no task has.
    pub(super) fn rename(&mut self, name: &str, new: &str) {
        for task in &mut self.tasks {
            let needs = task.needs.iter_mut();
            for one in needs.chain([&mut task.name]).filter(|one| **one == name) {
                new.clone_into(one);
            }
        }
    }
}

/// A task of an accepted plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTask {
    /// `[A-Za-z_][A-Za-z0-9_-]{0,63}`, unique without regard to case.
    pub name: String,
    /// Names of earlier tasks, each once.
    pub needs: Vec<String>,
    /// Names of tasks of the plan that is extended, each once; they have a result.
    pub after: Vec<String>,
    /// Its work.
    pub work: PlannedWork,
    /// The condition under which it starts.
    pub trigger: Trigger,
    /// The effect of its failure. Unless the model says otherwise it is [`OnFailure::Skip`], so that one
    /// failed task does not cost the results of the others. For a question it has no meaning.
    pub on_failure: OnFailure,
    /// The length of the answer that the model expects, in tokens.
    pub expected_tokens: Option<u32>,
}

/// The work of a planned task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedWork {
    /// An agent works on a prompt.
    Agent {
        /// The agent; `None` lets the router choose.
        agent: Option<String>,
        /// The instruction.
        prompt: String,
        /// The tools that it may use; `None` allows all tools of the agent.
        tools: Option<Vec<String>>,
    },
    /// A command of the host runs.
    Command {
        /// The name of the template.
        command: String,
        /// The values that the model gave, by argument.
        arguments: BTreeMap<String, String>,
        /// The resulting command line.
        argv: Vec<String>,
        /// The purpose, in the model's words; may be empty.
        about: String,
    },
    /// A person is asked.
    Question {
        /// The question.
        text: String,
    },
}

impl PlannedWork {
    /// The kind of the task.
    #[must_use]
    pub const fn kind(&self) -> TaskKind {
        match self {
            Self::Agent { .. } => TaskKind::Agent,
            Self::Command { .. } => TaskKind::Command,
            Self::Question { .. } => TaskKind::Question,
        }
    }

    /// The model's own words: the prompt, the question, or the purpose of the command.
    #[must_use]
    pub fn about(&self) -> &str {
        match self {
            Self::Agent { prompt, .. } => prompt,
            Self::Command { about, .. } => about,
            Self::Question { text } => text,
        }
    }
}

/// The kinds of tasks that a plan may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskKind {
    /// An agent works on a prompt.
    #[default]
    Agent,
    /// A command of the host runs.
    Command,
    /// A person is asked.
    Question,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Command, Self::Question];

    /// The word in a model's answer.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Command => "command",
            Self::Question => "question",
        }
    }

    /// The kind with that word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The triggers that a model may choose, with their words.
pub(super) const TRIGGERS: [(&str, Trigger); 2] = [
    (Trigger::AllSuccess.word(), Trigger::AllSuccess),
    (Trigger::AllDone.word(), Trigger::AllDone),
];

/// The failure rules that a model may choose, with their words.
pub(super) const FAILURE_RULES: [(&str, OnFailure); 3] = [
    ("skip", OnFailure::Skip),
    ("abort", OnFailure::Abort),
    (
        "ask",
        OnFailure::Ask(zeph_graph::AskFailure { fallback: None }),
    ),
];

/// The word of a value in one of the tables above.
pub(super) fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    let found = words.iter().find(|(_, one)| one == value);
    found.map_or("", |(word, _)| word)
}

/// The estimated cost of a plan's tasks, without planning and the final answer.
///
/// It is a guess; the run's budget limits what is really spent. For each agent task, with
/// `bytes / 4` as the tokens of a text:
///
/// - in: the agent's prompt, the task's prompt, 100 for the text around them, and the output of the
///   needed tasks, at most the agent's `max_input_tokens`;
/// - out: `expected_tokens`, else 500, at most the agent's `max_output_tokens`;
/// - tokens: in plus out, plus in once more if the agent may use tools and has a second turn.
///
/// A command outputs 250 tokens, a question 25; both cost nothing. A routed task counts as the most
/// expensive agent. Money follows from the prices of the agents' models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Tokens, in and out.
    pub tokens: u64,
    /// Millionths of a dollar; `None` if the price of a model is unknown.
    pub micro_usd: Option<u64>,
    /// The number of tasks.
    pub tasks: usize,
    /// The number of tasks on the longest path.
    pub depth: usize,
    /// The most tasks at one depth.
    pub width: usize,
}
