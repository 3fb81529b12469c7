//! What `zeph do GOAL` does: plan, approval, tasks, answer. The model is scripted.
//!
//! `cargo run -p zeph-orchestration --features planner --example reach_goal -- "A line about autumn"`
#![allow(clippy::print_stdout)] // An example prints what happens.

use std::{error::Error, sync::Arc};

use zeph_orchestration::llm::{Purpose, Reply, ScriptedProvider};
use zeph_orchestration::{Decision, Orchestrator, RunOutcome, RunSpec, SqliteStore};

const PLAN: &str = r#"{"reasoning": "One step will do.", "tasks": [
    {"name": "write", "needs": [], "kind": "agent", "prompt": "One line about autumn."}]}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let goal = std::env::args().nth(1).ok_or("name a goal")?;
    // A real service, with the feature `llm`: `GenaiProvider::builder("ollama::qwen3:8b").build()?`.
    let model = ScriptedProvider::new("scripted").for_purpose(Purpose::Plan, Reply::text(PLAN));
    let model = model.for_purpose(Purpose::Work, Reply::text("Leaves fall."));
    let model = model.for_purpose(Purpose::Answer, Reply::text("Leaves fall [write]."));
    let store = SqliteStore::open("runs.db").await?;
    let builder = Orchestrator::builder().model(Arc::new(model));
    let orchestrator = builder.commands(|new| new).database(store).build()?;
    let mut outcome = orchestrator.run(RunSpec::goal(goal)).await?;
    while let RunOutcome::NeedsApproval(plan, _) = &outcome {
        println!("{}\n{}", plan.plan.plan_file, plan.text);
        let answer = std::io::stdin()
            .lines()
            .next()
            .unwrap_or(Ok(String::new()))?;
        let decision = match answer.trim() {
            "approve" => Decision::Approve,
            why => Decision::Reject(why.to_owned()),
        };
        outcome = orchestrator.decide(plan, decision).await?;
    }
    println!("{outcome}");
    Ok(())
}
