//! Budgets: calls that wait for each other; at the limit a partial answer, or a question that a higher budget answers.

use zeph_graph::{Fault, OverBudget};
use zeph_orchestration::executor::Budget;
use zeph_orchestration::llm::{LlmRequest, LlmResponse, Purpose, Reply, ScriptedProvider};
use zeph_orchestration::planner::answer::WrittenBy;
use zeph_orchestration::{OrchestratorBuilder, RunEnd, RunState, TaskState};

use crate::script::{ANSWER, asked, asks_for_a_plan, builder, planning_leaves, run, run_on};

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
    let report = run(limited(&model, OverBudget::Partial)).await;
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
    let report = run_on(&orchestrator).await;
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

/// The plan of three parallel tasks and a join costs 1,015 tokens, each agent 300, and the answer 405: 2,620 in all.
const WIDE: &str = r#"{"reasoning": "Look, then write.", "tasks": [
    {"name": "rain", "needs": [], "kind": "agent", "prompt": "Tell of the rain."},
    {"name": "wind", "needs": [], "kind": "agent", "prompt": "Tell of the wind."},
    {"name": "snow", "needs": [], "kind": "agent", "prompt": "Tell of the snow."},
    {"name": "join", "needs": ["rain", "wind", "snow"], "kind": "agent", "prompt": "Write it up"}]}"#;
const COST: u64 = 2_620;

fn wide() -> ScriptedProvider {
    let second = std::time::Duration::from_secs(1);
    let says = |text: &str, cost: u32| {
        Reply::response(LlmResponse::text(text).usage(cost - 50, 50)).after(second)
    };
    ScriptedProvider::new("script")
        .rule(asks_for_a_plan, None, says(WIDE, 1_015))
        .for_purpose(Purpose::Answer, says("Oslo is wet [join].", 405))
        .when("Tell of the rain.", says("It rains.", 300))
        .when("Tell of the wind.", says("It blows.", 300))
        .when("Tell of the snow.", says("It snows.", 300))
        .when("Write it up", says("It rains, blows and snows.", 300))
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_little_more_than_the_run_costs_is_enough() {
    for budget in [10_000, 5_000] {
        let model = wide();
        let report = run(builder(&model)
            .budget(tokens(budget))
            .over_budget(OverBudget::Partial))
        .await;
        assert_eq!(
            report.end(),
            Some(RunEnd::Completed),
            "{budget}: {report:?}"
        );
        assert_eq!(report.spent.tokens, COST);
        let answer = report.answer.as_ref().unwrap();
        assert_eq!((answer.by, &answer.missing[..]), (WrittenBy::Llm, &[][..]));
        // The full length of an answer is waited for, if the budget covers it at all.
        let requests = model.requests();
        let mut agents = requests.iter().filter(|one| one.purpose == Purpose::Work);
        let is_full = |one: &LlmRequest| one.max_output_tokens == Some(4_096);
        assert_eq!(agents.all(is_full), budget == 10_000, "{budget}");
    }
}
