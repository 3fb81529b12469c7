//! Rounds of planning: the tasks that planning adds to a run.

use serde_json::json;
use zeph_common::Boundary;
use zeph_executor::GraphSpec;
use zeph_graph::AnswerKind;
use zeph_graph::Trigger;
use zeph_graph::wire::{QuestionSpec, TaskSpec, WorkSpec};

use super::{AdoptParams, PlanParams};
use crate::answer::{AnswerParams, AnswerTask};

/// The action that makes a plan.
pub const PLAN: &str = "plan";
/// The action that adds a plan to its run.
pub const ADOPT: &str = "adopt";
/// The action that writes the final answer.
pub const ANSWER: &str = "answer";

/// The question about a plan.
const QUESTION: &str = "Run this plan? Answer \"approve\", \"reject: REASON\" for another plan, or with a whole edited plan file.";
/// The most bytes of a problem in the question.
const MAX_PROBLEM_BYTES: usize = 2 << 10;
/// The most bytes of a task's description in the parameters of `answer`.
const MAX_ABOUT_BYTES: usize = 400;

/// A round of planning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round<'a> {
    /// From 1.
    pub(super) number: u32,
    pub(super) goal: &'a str,
    pub(super) feedback: &'a [String],
    pub(super) rejected: &'a [String],
    pub(super) confirm: bool,
    /// The first round that is about the same tasks.
    pub(super) first_round: u32,
    /// The answer without further tasks, if the round extends a plan.
    pub(super) extends: Option<&'a AnswerParams>,
}

/// The name of a task in a round. Only later rounds have their number in it.
fn numbered(name: &str, round: u32) -> String {
    match round {
        0 | 1 => name.to_owned(),
        _ => format!("{name}-{round}"),
    }
}

fn action(name: String, needs: Vec<String>, action: &str, params: serde_json::Value) -> TaskSpec {
    TaskSpec {
        name,
        needs,
        work: WorkSpec::Action {
            name: action.to_owned(),
            params,
        },
        ..TaskSpec::default()
    }
}

impl Round<'_> {
    /// The name of `plan` in this round.
    pub(super) fn plan(&self) -> String {
        numbered(PLAN, self.number)
    }

    /// `plan`, `confirm` and `adopt`; of an extension only `plan`, which adds the others if it needs them.
    pub(super) fn tasks(&self) -> Vec<TaskSpec> {
        let plan = self.plan();
        let params = json!(PlanParams {
            goal: self.goal.to_owned(),
            feedback: self.feedback.to_vec(),
            rejected: self.rejected.to_vec(),
            round: self.number,
            first_round: self.first_round,
            extends: self.extends.cloned(),
            start_early: !self.confirm && self.extends.is_none(),
        });
        let Some(extends) = self.extends else {
            let mut tasks = vec![action(plan, Vec::new(), PLAN, params)];
            tasks.extend(self.decision());
            return tasks;
        };
        let needs = extends.tasks.iter().map(|task| task.name.clone());
        vec![TaskSpec {
            trigger: Trigger::AllDone,
            ..action(plan, needs.collect(), PLAN, params)
        }]
    }

    /// `confirm` and `adopt`.
    pub(super) fn decision(&self) -> Vec<TaskSpec> {
        let adopt = AdoptParams {
            goal: self.goal.to_owned(),
            feedback: self.feedback.to_vec(),
            rejected: self.rejected.to_vec(),
            round: self.number,
            plan: self.plan(),
            confirm: None,
            first_round: self.first_round,
            extends: self.extends.cloned(),
        };
        if self.confirm {
            confirmed(adopt, QUESTION.to_owned()).into()
        } else {
            vec![adopt_task(&adopt)]
        }
    }
}

/// `confirm` and `adopt` for an existing plan.
fn confirmed(adopt: AdoptParams, text: String) -> [TaskSpec; 2] {
    let confirm = numbered("confirm", adopt.round);
    let question = TaskSpec {
        name: confirm.clone(),
        needs: vec![adopt.plan.clone()],
        work: WorkSpec::Question(Box::new(QuestionSpec {
            text,
            answer: AnswerKind::Text,
            default: None,
        })),
        ..TaskSpec::default()
    };
    let confirm = Some(confirm);
    [question, adopt_task(&AdoptParams { confirm, ..adopt })]
}

fn adopt_task(adopt: &AdoptParams) -> TaskSpec {
    let needs = [Some(adopt.plan.clone()), adopt.confirm.clone()];
    let needs = needs.into_iter().flatten().collect();
    action(numbered(ADOPT, adopt.round), needs, ADOPT, json!(adopt))
}

/// Asks about the same plan again, with the problem of the last answer.
pub(super) fn ask_again(adopt: &AdoptParams, round: u32, problem: &str) -> GraphSpec {
    let problem = zeph_common::escape_terminal_block(problem);
    let problem = zeph_common::truncate(&problem, MAX_PROBLEM_BYTES, Boundary::Char);
    let adopt = AdoptParams {
        round,
        ..adopt.clone()
    };
    GraphSpec {
        tasks: confirmed(adopt, format!("{problem}\n\n{QUESTION}")).into(),
        ..GraphSpec::default()
    }
}

/// The task `answer`, after all the tasks that it is about.
pub(super) fn answer(round: u32, params: &AnswerParams) -> TaskSpec {
    let needs = params.tasks.iter().map(|task| task.name.clone());
    TaskSpec {
        trigger: Trigger::AllDone,
        ..action(
            numbered(ANSWER, round),
            needs.collect(),
            ANSWER,
            json!(params),
        )
    }
}

/// The tasks of a plan, and `answer` after all of them. `params` has the tasks before them.
pub(super) fn with_answer(graph: GraphSpec, round: u32, mut params: AnswerParams) -> GraphSpec {
    let mut tasks = graph.tasks;
    params.tasks.extend(tasks.iter().map(answer_task));
    tasks.push(answer(round, &params));
    // The run has its own goal and parameters, so those of the file are left out.
    GraphSpec {
        lanes: graph.lanes,
        tasks,
        ..GraphSpec::default()
    }
}

fn answer_task(task: &TaskSpec) -> AnswerTask {
    let text = match &task.work {
        WorkSpec::Milestone {} => None,
        WorkSpec::Action { params, .. } => params.get("prompt").and_then(|prompt| prompt.as_str()),
        WorkSpec::Question(question) => Some(question.text.as_str()),
    };
    let description = task.metadata.get("description").map(String::as_str);
    let about = description.or(text).unwrap_or_default();
    AnswerTask {
        name: task.name.clone(),
        needs: task.needs.clone(),
        about: zeph_common::truncate(about, MAX_ABOUT_BYTES, Boundary::Char).to_string(),
    }
}
