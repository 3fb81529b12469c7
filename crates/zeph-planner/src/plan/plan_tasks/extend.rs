//! Extension of a plan: further tasks after one that failed.
//!
//! If a task has failed since the last extension when `answer` starts, `answer` adds another round of planning and
//! is skipped. The planner sees the plan, the results and the reasons, and proposes further tasks, which take the
//! way of any plan: its checks, the confirmation, the budget. Another `answer` follows, with or without them.

use zeph_common::{Boundary, head_tail};
use zeph_executor::{GraphSpec, Parent, ParentState, TaskInput};

use super::round::{self, Round};
use crate::answer::AnswerParams;
use crate::plan::EarlierTask;
use crate::prompt_budget::value_text;
use crate::water_fill::water_fill;

/// The most bytes of all results and reasons together that the planner sees.
const MAX_BYTES: u64 = 24 << 10;

/// The codes of failures that further tasks cannot repair: there is no budget for them.
const WITHOUT_BUDGET: [&str; 2] = ["over_budget", "budget"];

/// The name of the task that plans the extension, and the tasks to add; `None` if the plan is not extended.
pub(crate) fn extension(params: &AnswerParams, input: &TaskInput) -> Option<(String, GraphSpec)> {
    let extend = params.extend.filter(|extend| extend.left > 0)?;
    let has_failed = |parent: &Parent| {
        parent.state == ParentState::Failed
            && parent.output.is_none()
            && (parent.why.as_ref()).is_none_or(|why| !WITHOUT_BUDGET.contains(&&*why.code))
    };
    let new = params.tasks.iter().skip(extend.seen);
    let mut new = new.filter_map(|task| input.parents.get(&task.name));
    if !new.any(has_failed) {
        return None;
    }
    let number = extend.round + 1;
    let round = Round {
        number,
        goal: &params.goal,
        feedback: &[],
        rejected: &[],
        confirm: extend.confirm,
        first_round: number,
        extends: Some(params),
    };
    let patch = GraphSpec {
        tasks: round.tasks(),
        ..GraphSpec::default()
    };
    Some((round.plan(), patch))
}

/// The answer if the plan stays as it is, as the tasks to add.
pub(super) fn answer_only(round: u32, params: &AnswerParams) -> GraphSpec {
    let params = AnswerParams {
        extend: None,
        ..params.clone()
    };
    GraphSpec {
        tasks: vec![round::answer(round, &params)],
        ..GraphSpec::default()
    }
}

/// The tasks of the plan that is extended, with their ends.
pub(super) fn earlier(params: &AnswerParams, input: &TaskInput) -> Vec<EarlierTask> {
    let text = |parent: &Parent| match (&parent.output, &parent.why) {
        (Some(output), _) => value_text(&output.value).into_owned(),
        (None, Some(why)) => why.to_string(),
        (None, None) => String::new(),
    };
    let tasks = params.tasks.iter().filter_map(|task| {
        let parent = input.parents.get(&task.name)?;
        Some((task, parent, text(parent)))
    });
    let tasks: Vec<_> = tasks.collect();
    let share = water_fill(tasks.iter().map(|(.., text)| text.len() as u64), MAX_BYTES);
    let share = usize::try_from(share).unwrap_or(usize::MAX);
    let tasks = tasks.into_iter().map(|(task, parent, text)| EarlierTask {
        name: task.name.clone(),
        about: task.about.clone(),
        state: parent.state,
        has_result: parent.output.is_some(),
        text: head_tail(&text, share, Boundary::Word).to_string(),
    });
    tasks.collect()
}
