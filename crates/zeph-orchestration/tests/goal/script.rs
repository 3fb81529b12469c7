//! A scripted model: a plan of three tasks, the reply to each, and the answer.

use std::sync::Arc;

use zeph_orchestration::llm::{LlmRequest, LlmResponse, Purpose, Reply, ScriptedProvider};
use zeph_orchestration::{Confirm, Orchestrator, OrchestratorBuilder, RunResults};

pub(crate) const GOAL: &str = "A report on the weather of Oslo";

/// A plan of two parallel tasks, and one that needs both.
pub(crate) const PLAN: &str = r#"{"reasoning": "Look, then write.", "tasks": [
    {"name": "rain", "needs": [], "kind": "agent", "prompt": "Tell of the rain."},
    {"name": "wind", "needs": [], "kind": "agent", "prompt": "Tell of the wind."},
    {"name": "report", "needs": ["rain", "wind"], "kind": "agent", "prompt": "Write it up"}]}"#;

/// The answer, which [`model`] writes.
pub(crate) const ANSWER: &str = "Oslo is wet [report].\n";

pub(crate) fn says(request: &LlmRequest, text: &str) -> bool {
    let mut messages = request.messages.iter();
    messages.any(|message| message.text().contains(text))
}

pub(crate) fn asks_for_a_plan(request: &LlmRequest) -> bool {
    matches!(request.purpose, Purpose::Plan | Purpose::RepairPlan)
}

/// Adds the replies of agents and aggregator after the existing rules.
pub(crate) fn plays(model: ScriptedProvider) -> ScriptedProvider {
    // A request for another plan has the rejected one in it, and so the prompts of its tasks.
    let works = |text: &'static str| {
        move |request: &LlmRequest| !asks_for_a_plan(request) && says(request, text)
    };
    model
        .for_purpose(Purpose::Answer, Reply::text(ANSWER))
        .rule(works("Tell of the rain."), None, Reply::text("It rains."))
        .rule(works("Tell of the wind."), None, Reply::text("It blows."))
        .rule(
            works("Write it up"),
            None,
            Reply::text("It rains and blows."),
        )
}

/// The model without a plan.
pub(crate) fn model() -> ScriptedProvider {
    plays(ScriptedProvider::new("script"))
}

/// The same model with a plan; after planning, that many tokens of the budget are left.
pub(crate) fn planning_leaves(left: u32, budget: u32) -> ScriptedProvider {
    let plan = LlmResponse::text(PLAN).usage(budget - left - 200, 200);
    model().rule(asks_for_a_plan, None, Reply::response(plan))
}

/// The model with [`PLAN`] as the reply to every planning request.
pub(crate) fn planning() -> ScriptedProvider {
    model().rule(asks_for_a_plan, None, Reply::text(PLAN))
}

pub(crate) fn builder(model: &ScriptedProvider) -> OrchestratorBuilder {
    Orchestrator::builder()
        .model(Arc::new(model.clone()))
        .confirm(Confirm::Never)
}

/// Runs the goal as far as it goes.
pub(crate) async fn run(builder: OrchestratorBuilder) -> RunResults {
    run_on(&builder.build().unwrap()).await
}

/// Runs the goal as far as it goes, with an orchestrator that is used further.
pub(crate) async fn run_on(orchestrator: &Orchestrator) -> RunResults {
    orchestrator.run(GOAL).await.unwrap().into_results()
}

/// The number of requests that contain a text.
pub(crate) fn asked(model: &ScriptedProvider, text: &str) -> usize {
    let requests = model.requests();
    requests.iter().filter(|one| says(one, text)).count()
}
