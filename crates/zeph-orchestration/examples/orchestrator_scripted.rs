//! A goal with a scripted model: plan, confirmation, tasks, answer, and a replay of the run.
//!
//! `cargo run -p zeph-orchestration --features planner --example orchestrator_scripted`

#![allow(clippy::print_stdout)] // An example shows what it did.

use std::sync::Arc;

use zeph_orchestration::llm::{Purpose, Reply, ScriptedProvider};
use zeph_orchestration::plan::ReplayReport;
use zeph_orchestration::{Confirm, Decision, Orchestrator, OrchestratorError, RunResults};

const PLAN: &str = r#"{"reasoning": "Look, then write.", "tasks": [
    {"name": "rain", "needs": [], "kind": "agent", "prompt": "Tell of the rain."},
    {"name": "wind", "needs": [], "kind": "agent", "prompt": "Tell of the wind."},
    {"name": "report", "needs": ["rain", "wind"], "kind": "agent", "prompt": "Write it up."}]}"#;

async fn work() -> Result<(RunResults, ReplayReport), OrchestratorError> {
    let model = ScriptedProvider::new("script")
        .for_purpose(Purpose::Plan, Reply::text(PLAN))
        .for_purpose(Purpose::Answer, Reply::text("Oslo is wet [report]."))
        .when("Tell of the rain.", Reply::text("It rains."))
        .when("Tell of the wind.", Reply::text("It blows."))
        .when("Write it up.", Reply::text("It rains and blows."));
    let confirm = Confirm::with(|proposal| async move {
        println!("[scripted] the plan:\n{}", proposal.plan.plan_file);
        Decision::Approve
    });
    let orchestrator = Orchestrator::builder()
        .model(Arc::new(model))
        .confirm(confirm)
        .build()?;
    let report = orchestrator
        .run("A report on the weather of Oslo")
        .await?
        .into_results();
    let replay = orchestrator.replay(&report.run).await?;
    Ok((report, replay))
}

#[tokio::main]
async fn main() -> Result<(), OrchestratorError> {
    let (report, replay) = work().await?;
    for task in &report.tasks {
        println!("[scripted] {}: {}", task.name, task.state.word());
    }
    let answer = report
        .answer
        .as_ref()
        .map(|answer| &*answer.text)
        .unwrap_or_default();
    println!(
        "[scripted] {answer}[scripted] {} tokens",
        report.spent.tokens
    );
    let (records, attempts) = (replay.records, replay.attempts.len());
    let word = if replay.is_same() {
        "the same"
    } else {
        "something else"
    };
    println!("[scripted] again: {records} records and {attempts} attempts are {word}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn it_ends_with_an_answer_and_replays() {
        let (report, replay) = super::work().await.expect("it runs");
        let answer = report.answer.expect("there is an answer");
        assert_eq!(answer.text, "Oslo is wet [report].\n");
        assert!(replay.is_same(), "{replay:?}");
    }
}
