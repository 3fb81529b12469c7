//! Budgets at their limit: a partial answer, or a question that a higher budget answers.

use zeph_graph::{Fault, OverBudget};
use zeph_orchestration::executor::Budget;
use zeph_orchestration::llm::ScriptedProvider;
use zeph_orchestration::planner::answer::WrittenBy;
use zeph_orchestration::{OrchestratorBuilder, RunEnd, RunState, TaskState};

use crate::script::{ANSWER, GOAL, asked, builder, planning_leaves};

/// Planning leaves enough to reserve one of two tasks at a time, and too little for the others.
const BUDGET: u32 = 20_000;
const LEFT: u32 = 600;

fn tokens(tokens: u64) -> Budget {
    Budget::of_tokens(tokens)
}

/// One task at a time, so that the rain reserves before the wind.
fn limited(model: &ScriptedProvider, over: OverBudget) -> OrchestratorBuilder {
    let policy = zeph_orchestration::Policy {
        max_parallel: std::num::NonZeroU32::MIN,
        ..Default::default()
    };
    builder(model)
        .policy(policy)
        .budget(tokens(BUDGET.into()))
        .over_budget(over)
}

#[test]
fn a_policy_keeps_the_budget_of_an_earlier_or_later_call() {
    let model = planning_leaves(LEFT, BUDGET);
    let policy = zeph_orchestration::Policy::default();
    let first = builder(&model).budget(tokens(7)).policy(policy);
    let second = builder(&model).policy(policy).budget(tokens(7));
    for builder in [first, second] {
        let orchestrator = builder.over_budget(OverBudget::Partial).build().unwrap();
        let policy = orchestrator.policy_for(None).unwrap();
        assert_eq!(policy.budget, tokens(7));
        assert_eq!(policy.over_budget, OverBudget::Partial);
    }
}

#[tokio::test]
async fn at_the_limit_there_is_a_partial_answer_that_says_so() {
    let model = planning_leaves(LEFT, BUDGET);
    let orchestrator = limited(&model, OverBudget::Partial).build().unwrap();
    let report = orchestrator.run(GOAL).await.unwrap().into_results();
    assert_eq!(report.end(), Some(RunEnd::Degraded));
    assert!(
        report.spent.tokens <= u64::from(BUDGET),
        "{:?}",
        report.spent
    );
    let wind = report.task("wind").unwrap();
    let budget = TaskState::Failed { why: Fault::Budget };
    assert_eq!(wind.state, budget);
    assert_eq!(
        wind.error.as_ref().map(|error| &*error.code),
        Some("over_budget")
    );

    let answer = report.answer.as_ref().unwrap();
    assert_eq!(answer.by, WrittenBy::Deterministic);
    assert!(
        answer
            .why
            .as_ref()
            .is_some_and(|why| why.contains("budget"))
    );
    assert_eq!(answer.sources, ["rain"]);
    let missing: Vec<&str> = answer.missing.iter().map(|one| &*one.task).collect();
    assert_eq!(missing, ["wind", "report"]);
    assert!(answer.text.contains("It rains.") && answer.text.contains("wind: it failed"));
}

#[tokio::test]
async fn a_higher_budget_and_a_word_let_the_run_go_on() {
    let model = planning_leaves(LEFT, BUDGET);
    let orchestrator = limited(&model, OverBudget::Ask).build().unwrap();
    let report = orchestrator.run(GOAL).await.unwrap().into_results();
    assert_eq!(report.state, RunState::Suspended);
    let [question] = &report.questions[..] else {
        panic!("{:?}", report.questions);
    };
    assert_eq!(question.task, "wind");
    assert_eq!(
        question.accepts,
        zeph_orchestration::runtime::Accepts::Failure
    );

    let raised = orchestrator.set_budget(&report.run, tokens(90_000)).await;
    raised.unwrap();
    let answered = orchestrator.answer(&report.run, question.id, "retry").await;
    answered.unwrap();
    let report = orchestrator
        .resume(&report.run)
        .await
        .unwrap()
        .into_results();
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.answer.as_ref().unwrap().text, ANSWER);
    // Completed work was not repeated: the agent was asked once, the aggregator once.
    assert_eq!(asked(&model, "Tell of the rain."), 2);
}
