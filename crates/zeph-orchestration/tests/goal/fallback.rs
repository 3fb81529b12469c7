//! The fallback plan, and the fallback model: asked for plans, tasks and the answer where the first one gives none.

use std::sync::Arc;

use zeph_orchestration::executor::Budget;
use zeph_orchestration::llm::{
    Capabilities, ErrorKind, Prices, Purpose, Reply, RetryPolicy, ScriptedProvider,
};
use zeph_orchestration::planner::plan::FallbackPlan;
use zeph_orchestration::{OrchestratorBuilder, OrchestratorError, RunEnd};

use crate::script::{ANSWER, GOAL, PLAN, asks_for_a_plan, builder, plays, run, run_on};

fn second() -> ScriptedProvider {
    plays(ScriptedProvider::new("second")).rule(asks_for_a_plan, None, Reply::text(PLAN))
}

fn both(first: &ScriptedProvider, second: &ScriptedProvider) -> OrchestratorBuilder {
    builder(first)
        .fallback_model(Arc::new(second.clone()))
        .retry(RetryPolicy::once())
}

#[tokio::test]
async fn a_model_that_is_down_is_replaced_for_every_call() {
    for kind in [
        ErrorKind::Unavailable,
        ErrorKind::NoCredit,
        ErrorKind::Unauthorized,
    ] {
        let first = ScriptedProvider::new("script").rule(|_| true, None, Reply::error(kind, "no"));
        let second = second();
        let orchestrator = both(&first, &second).build().unwrap();
        let report = run_on(&orchestrator).await;
        assert_eq!(report.end(), Some(RunEnd::Completed), "{kind:?}");
        assert_eq!(report.answer.as_ref().unwrap().text, ANSWER);
        // Plan, three tasks, answer: each was asked of the first model once.
        assert_eq!((first.requests().len(), second.requests().len()), (5, 5));
        let replay = orchestrator.replay(&report.run).await.unwrap();
        assert!(replay.is_same(), "{kind:?}: {replay:?}");
    }
}

#[tokio::test]
async fn only_what_the_first_model_cannot_answer_goes_to_the_second() {
    let first = plays(ScriptedProvider::new("script")).rule(
        asks_for_a_plan,
        Some(1),
        Reply::error(ErrorKind::Network, "reset"),
    );
    let second = second();
    let report = run(both(&first, &second)).await;
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!((first.requests().len(), second.requests().len()), (5, 1));
}

#[tokio::test]
async fn if_both_fail_the_goal_has_no_plan() {
    let down = |name: &str, why: &str| {
        ScriptedProvider::new(name).rule(|_| true, None, Reply::error(ErrorKind::Unavailable, why))
    };
    let orchestrator = both(&down("script", "maintenance"), &down("second", "gone"));
    let error = orchestrator.build().unwrap().run(GOAL).await.unwrap_err();
    let OrchestratorError::NoPlan { error, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(error.code, "plan_unavailable");
}

#[tokio::test]
async fn a_budget_in_money_needs_the_price_of_both() {
    let priced = Capabilities::TEXT.with_prices(Prices::FREE);
    let first = ScriptedProvider::new("script").with_capabilities(priced);
    let second = second().with_capabilities(Capabilities::TEXT);
    let limited = both(&first, &second).budget(Budget::of_micro_usd(1_000));
    let error = limited.build().unwrap().run(GOAL).await.unwrap_err();
    let OrchestratorError::UnknownPrice { model } = error else {
        panic!("{error}");
    };
    assert_eq!(model, "second");
}

#[tokio::test]
async fn a_model_that_writes_no_plan_does_the_goal_as_one_task() {
    let model = ScriptedProvider::new("script")
        .rule(
            asks_for_a_plan,
            None,
            Reply::text("{\"tasks\": [{\"name\": \"rain\", \"prom"),
        )
        .for_purpose(Purpose::Work, Reply::text("It rains."))
        .for_purpose(Purpose::Answer, Reply::text("Oslo is wet [work]."));
    let builder = || builder(&model).fallback_plan(FallbackPlan::Routed);
    let report = run(builder()).await;
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.answer.unwrap().sources, ["work"]);
    let findings = report.plan.unwrap().findings;
    assert!(
        findings.iter().any(|one| one.code == "fallback_plan"),
        "{findings:?}"
    );
}
