//! An accepted plan: checked, ordered, priced.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ArgumentDocument, PlanDocument, PlanRepair, PlanWarning, TaskDocument, TaskKind};

/// A plan that passed every check.
///
/// Each task stands behind all that it needs. Made by [`read_plan`](crate::read_plan) only.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The goal, as it was asked.
    pub goal: String,
    /// How the model explains the plan. Untrusted; may be empty.
    pub reasoning: String,
    /// The tasks, at least one.
    pub tasks: Vec<PlannedTask>,
    /// What it may cost.
    pub estimate: Estimate,
    /// What was mended in the document.
    pub repairs: Vec<PlanRepair>,
    /// What a person should look at.
    pub warnings: Vec<PlanWarning>,
}

/// A task of an accepted plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTask {
    /// `[A-Za-z_][A-Za-z0-9_-]{0,63}`, unique without regard to case.
    pub name: String,
    /// Names of tasks that stand before it, each once.
    pub needs: Vec<String>,
    /// What it does.
    pub work: PlannedWork,
    /// When it starts.
    pub trigger: PlanTrigger,
    /// What its failure means.
    pub on_failure: PlanOnFailure,
    /// How long an answer the model expects, in tokens.
    pub expected_tokens: Option<u32>,
}

/// What a planned task does.
///
/// Closed: who turns a plan into something else must know every kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedWork {
    /// An agent works on a prompt.
    Agent {
        /// The agent; `None` is the router's choice.
        agent: Option<String>,
        /// What to do.
        prompt: String,
        /// Which of its tools it may use; `None` is all of them.
        tools: Option<Vec<String>>,
    },
    /// A command of the host runs.
    Command {
        /// The template.
        command: String,
        /// The values that the model gave.
        arguments: BTreeMap<String, String>,
        /// The command line that they make.
        argv: Vec<String>,
        /// What it is for, in the model's words; may be empty.
        about: String,
    },
    /// A person is asked.
    Question {
        /// The question.
        text: String,
    },
}

impl PlannedWork {
    /// What a plan calls this kind.
    #[must_use]
    pub const fn kind(&self) -> TaskKind {
        match self {
            Self::Agent { .. } => TaskKind::Agent,
            Self::Command { .. } => TaskKind::Command,
            Self::Question { .. } => TaskKind::Question,
        }
    }

    /// What it is about, in the model's words: the prompt, the question, the purpose of the command.
    #[must_use]
    pub fn about(&self) -> &str {
        match self {
            Self::Agent { prompt, .. } => prompt,
            Self::Command { about, .. } => about,
            Self::Question { text } => text,
        }
    }
}

/// When a planned task starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum PlanTrigger {
    /// When all that it needs has succeeded.
    #[default]
    AllSuccess,
    /// When all that it needs has ended, however it did.
    AllDone,
}

impl PlanTrigger {
    /// The word in documents and plan files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::AllSuccess => "all_success",
            Self::AllDone => "all_done",
        }
    }
}

/// What the failure of a planned task means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum PlanOnFailure {
    /// The run ends.
    #[default]
    Abort,
    /// The run goes on without it.
    Skip,
    /// A person decides.
    Ask,
}

impl PlanOnFailure {
    /// The word in documents and plan files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Skip => "skip",
            Self::Ask => "ask",
        }
    }
}

/// What a plan may cost, without the planning itself and the final answer. A guess, not a promise:
/// what is spent is held by the run's budget.
///
/// For each agent task, with `bytes / 4` as the tokens of a text:
///
/// - in: its agent's prompt, its own prompt, 100 for what frames them, and what its needs put out,
///   at most the agent's `max_input_tokens`;
/// - out: `expected_tokens`, else 500, at most the agent's `max_output_tokens`;
/// - tokens: in and out, and in once more if it may use tools and the agent has a second turn.
///
/// A command is taken to put out 250 tokens, a question 25; both cost nothing. A task that is routed
/// counts as the dearest agent. Money follows from the prices of the agents' models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Tokens, in and out.
    pub tokens: u64,
    /// Millionths of a dollar; `None` if the price of a model is not known.
    pub micro_usd: Option<u64>,
    /// The most tasks in a row.
    pub depth: usize,
    /// The most tasks at one depth.
    pub width: usize,
}

impl Plan {
    /// The plan as a document of the form that models write, with every repair made.
    ///
    /// Reading it again gives the same plan without repairs.
    #[must_use]
    pub fn document(&self) -> PlanDocument {
        PlanDocument {
            reasoning: self.reasoning.clone(),
            tasks: self.tasks.iter().map(PlannedTask::document).collect(),
        }
    }
}

impl PlannedTask {
    fn document(&self) -> TaskDocument {
        let mut task = TaskDocument {
            name: self.name.clone(),
            needs: self.needs.clone(),
            kind: self.work.kind(),
            trigger: Some(self.trigger),
            on_failure: Some(self.on_failure),
            expected_tokens: self.expected_tokens,
            ..TaskDocument::default()
        };
        match &self.work {
            PlannedWork::Agent {
                agent,
                prompt,
                tools,
            } => {
                task.agent.clone_from(agent);
                task.prompt = Some(prompt.clone());
                task.tools.clone_from(tools);
            }
            PlannedWork::Command {
                command,
                arguments,
                about,
                ..
            } => {
                task.command = Some(command.clone());
                task.prompt = (!about.is_empty()).then(|| about.clone());
                let arguments = arguments.iter().map(|(name, value)| ArgumentDocument {
                    name: name.clone(),
                    value: value.clone(),
                });
                task.arguments = Some(arguments.collect());
            }
            PlannedWork::Question { text } => task.prompt = Some(text.clone()),
        }
        task
    }
}
