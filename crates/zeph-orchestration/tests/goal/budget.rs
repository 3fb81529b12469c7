//! Budgets at their limit: a partial answer, or a question that a higher budget answers.

use zeph_graph::OverBudget;
use zeph_orchestration::planner::Written;
use zeph_orchestration::runtime::Request;
use zeph_orchestration::subagent::Budget;
use zeph_orchestration::{Confirm, RunEnd, RunState, TaskState};

use crate::script::{GOAL, builder, planning};

/// What the whole run costs, and what planning takes of it.
async fn costs() -> (u64, u64) {
    let model = planning();
    let report = builder(&model).build().unwrap().run(GOAL).await.unwrap();
    let resting = builder(&model).confirm(Confirm::Ask).build().unwrap();
    let planned = resting.run(GOAL).await.unwrap();
    (report.spent.tokens, planned.spent.tokens)
}

fn tokens(tokens: u64) -> Budget {
    Budget {
        tokens,
        ..Budget::UNLIMITED
    }
}

#[tokio::test]
async fn at_the_limit_there_is_a_partial_answer_that_says_so() {
    let model = planning();
    // Enough to reserve the plan's longest answer, and little beyond it.
    let limit = 12_000;
    let orchestrator = builder(&model)
        .budget(tokens(limit))
        .over_budget(OverBudget::Partial)
        .limits(zeph_orchestration::Limits {
            max_parallel: 1,
            ..Default::default()
        })
        .plans(|host| host)
        .build()
        .unwrap();
    let report = orchestrator.run(GOAL).await.unwrap();
    assert!(report.spent.tokens <= limit, "{:?}", report.spent);
    assert_eq!(report.end(), Some(RunEnd::Completed), "{:?}", report.state);
}
