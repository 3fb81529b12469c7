//! Another router: one changed line gives the same task to another agent.
//!
//! `cargo run -p zeph-orchestration --features planner --example swap_router`

#![allow(clippy::print_stdout)] // An example shows what it did.

use std::error::Error;
use std::sync::Arc;

use zeph_orchestration::llm::{Reply, ScriptedProvider};
use zeph_orchestration::subagent::router::{ScoringRouter, SingleRouter};
use zeph_orchestration::subagent::{AgentCatalog, AgentRouter, SubAgentDef};
use zeph_orchestration::{Confirm, Orchestrator};

const PLAN: &str = r#"{"reasoning": "One step will do.", "tasks": [
    {"name": "write", "needs": [], "kind": "agent", "prompt": "Write a poem about autumn."}]}"#;

/// Runs a plan whose task names no agent. Returns the output of the task, which names its agent.
async fn work(router: Arc<dyn AgentRouter>) -> Result<String, Box<dyn Error>> {
    let mut agents = AgentCatalog::new();
    agents.add(SubAgentDef::new(
        "poet",
        "Writes a poem about anything",
        "You are a poet.",
    ))?;
    agents.add(SubAgentDef::new(
        "clerk",
        "Files papers in order",
        "You are a clerk.",
    ))?;
    let model = ScriptedProvider::new("script")
        .when("You are a poet.", Reply::text("by the poet"))
        .when("You are a clerk.", Reply::text("by the clerk"))
        .then(Reply::text(PLAN))
        .then(Reply::text("It was written [write]."));
    let orchestrator = Orchestrator::builder()
        .model(Arc::new(model))
        .confirm(Confirm::Never)
        .agents(agents)
        .llm_context(move |llm_context| llm_context.router(Arc::clone(&router))) // This line is the router.
        .build()?;
    let report = orchestrator.run("A poem").await?.into_results();
    let written = report.output("write").await?;
    let written = written.ok_or("the task has no output")?;
    Ok(written.value.as_str().unwrap_or_default().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "scored: {}",
        work(Arc::new(ScoringRouter::standard())).await?
    );
    println!(
        "always the clerk: {}",
        work(Arc::new(SingleRouter::new("clerk"))).await?
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Arc, ScoringRouter, SingleRouter, work};

    #[tokio::test]
    async fn each_router_chooses_another_agent() {
        let scored = work(Arc::new(ScoringRouter::standard())).await;
        assert_eq!(scored.expect("it runs"), "by the poet");
        let single = work(Arc::new(SingleRouter::new("clerk"))).await;
        assert_eq!(single.expect("it runs"), "by the clerk");
    }
}
