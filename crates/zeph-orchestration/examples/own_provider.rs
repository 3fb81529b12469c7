//! A custom provider: any async closure can answer planner, agents and aggregator.
//!
//! `cargo run -p zeph-orchestration --features planner --example own_provider`

#![allow(clippy::print_stdout)] // An example shows what it did.

use std::sync::Arc;

use zeph_orchestration::llm::{LlmError, LlmRequest, Purpose, provider_fn};
use zeph_orchestration::{Confirm, Orchestrator, OrchestratorError, RunOutcome};

/// The model of this example: a fixed reply for each purpose.
fn answer(request: &LlmRequest) -> String {
    let reply = match request.purpose {
        Purpose::Plan | Purpose::RepairPlan => {
            r#"{"reasoning": "One step will do.", "tasks": [
            {"name": "write", "needs": [], "kind": "agent", "prompt": "One line about autumn."}]}"#
        }
        Purpose::Answer => "Leaves fall in autumn [write].",
        Purpose::Work | Purpose::Summarize | Purpose::Judge | Purpose::Other => "Leaves fall.",
    };
    reply.to_owned()
}

async fn work() -> Result<RunOutcome, OrchestratorError> {
    // Replace this line to use another provider, such as a service or a recording. The code below stays the
    // same.
    let model = provider_fn("mine", async |request| Ok::<_, LlmError>(answer(&request)));
    let orchestrator = Orchestrator::builder()
        .model(Arc::new(model))
        .confirm(Confirm::Never)
        .build()?;
    orchestrator.run("A line about autumn").await
}

#[tokio::main]
async fn main() -> Result<(), OrchestratorError> {
    println!("{}", work().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_closure_plans_works_and_answers() {
        let outcome = super::work().await.expect("it runs");
        let answer = outcome.into_results().answer.expect("there is an answer");
        assert_eq!(answer.text, "Leaves fall in autumn [write].\n");
    }
}
