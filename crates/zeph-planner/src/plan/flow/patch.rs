//! Patches: the tasks that planning adds to a run.

use serde_json::json;
use zeph_common::Boundary;
use zeph_executor::GraphSpec;
use zeph_graph::Trigger;
use zeph_graph::wire::{AnswerSpec, QuestionSpec, TaskSpec, WorkSpec};

use crate::{AnswerParams, AnswerTask};

/// The action that makes a plan.
pub const PLAN: &str = "plan";
/// The action that adds a plan to its run.
pub const ADOPT: &str = "adopt";
/// The action that puts results together.
pub const ANSWER: &str = "answer";

/// What a person is asked about a plan.
const QUESTION: &str = "Run this plan? Answer \"approve\", \"reject: WHY\" to have it planned anew, or a whole edited plan file.";
/// What a question says of an answer that did not do, at most.
const TOLD_BYTES: usize = 2 << 10;
/// What a task is about, for the final answer, at most.
const ABOUT_BYTES: usize = 400;

/// One round of planning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round<'a> {
    /// From 1.
    pub(super) number: u32,
    pub(super) goal: &'a str,
    pub(super) feedback: &'a [String],
    pub(super) confirm: bool,
}

/// A name of the first round as it is, of a later one with its number.
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
    /// `plan`, `confirm` and `adopt`.
    pub(super) fn tasks(&self) -> Vec<TaskSpec> {
        let plan = numbered(PLAN, self.number);
        let params = json!({ "goal": self.goal, "feedback": self.feedback, "round": self.number });
        let mut tasks = vec![action(plan.clone(), Vec::new(), PLAN, params)];
        if self.confirm {
            tasks.extend(asked(&plan, self.number, QUESTION.to_owned()));
        } else {
            tasks.push(adopt(&plan, None, self.number));
        }
        tasks
    }
}

/// `confirm` and `adopt` for a plan that is there.
fn asked(plan: &str, round: u32, text: String) -> [TaskSpec; 2] {
    let confirm = numbered("confirm", round);
    let question = TaskSpec {
        name: confirm.clone(),
        needs: vec![plan.to_owned()],
        work: WorkSpec::Question(Box::new(QuestionSpec {
            text,
            answer: AnswerSpec::Text,
            default: None,
        })),
        ..TaskSpec::default()
    };
    [question, adopt(plan, Some(confirm), round)]
}

fn adopt(plan: &str, confirm: Option<String>, round: u32) -> TaskSpec {
    let params = json!({ "round": round, "plan": plan, "confirm": confirm });
    let needs = [Some(plan.to_owned()), confirm].into_iter().flatten();
    action(numbered(ADOPT, round), needs.collect(), ADOPT, params)
}

/// The same plan put to the person again, with what was wrong with the last answer.
pub(super) fn ask_again(plan: &str, round: u32, why: &str) -> GraphSpec {
    let why = zeph_common::escape_terminal_block(why);
    let why = zeph_common::truncate(&why, TOLD_BYTES, Boundary::Char);
    GraphSpec {
        tasks: asked(plan, round, format!("{why}\n\n{QUESTION}")).into(),
        ..GraphSpec::default()
    }
}

/// The tasks of a plan, and `answer` behind all of them.
pub(super) fn whole(graph: GraphSpec, goal: &str, max_tokens: Option<u32>) -> GraphSpec {
    let mut tasks = graph.tasks;
    let params = AnswerParams {
        goal: goal.to_owned(),
        tasks: tasks.iter().map(told).collect(),
        max_tokens,
    };
    // It is plain data whose keys are texts; making JSON of it cannot fail.
    let params = serde_json::to_value(params).unwrap_or_default();
    let needs = tasks.iter().map(|task| task.name.clone()).collect();
    tasks.push(TaskSpec {
        trigger: Trigger::AllDone,
        ..action(ANSWER.to_owned(), needs, ANSWER, params)
    });
    // Goal and parameters of the file belong to the run that it would have been.
    GraphSpec {
        lanes: graph.lanes,
        tasks,
        ..GraphSpec::default()
    }
}

fn told(task: &TaskSpec) -> AnswerTask {
    let of_work = match &task.work {
        WorkSpec::Milestone {} => None,
        WorkSpec::Action { params, .. } => params.get("prompt").and_then(|prompt| prompt.as_str()),
        WorkSpec::Question(question) => Some(question.text.as_str()),
    };
    let described = task.metadata.get("description").map(String::as_str);
    let about = described.or(of_work).unwrap_or_default();
    AnswerTask {
        name: task.name.clone(),
        needs: task.needs.clone(),
        about: zeph_common::truncate(about, ABOUT_BYTES, Boundary::Char).to_string(),
    }
}
